package client;

import java.security.MessageDigest;
import java.util.Arrays;

/** Digests of the token are those of software. */
final class Digests {
    private Digests() {}

    static void check(Token token) throws Exception {
        for (String algorithm : new String[] {"SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"}) {
            MessageDigest ours = MessageDigest.getInstance(algorithm, token.provider());
            MessageDigest theirs = MessageDigest.getInstance(algorithm, Software.SUN);
            for (int length : new int[] {0, 1, 64, 100_000}) {
                byte[] data = Software.random(length);
                byte[] expected = theirs.digest(data);
                Checks.same(algorithm + " of " + length + " bytes", expected, ours.digest(data));
                ours.update(data, 0, length / 2);
                ours.update(data, length / 2, length - length / 2);
                Checks.same(algorithm + " in parts", expected, ours.digest());
                ours.update(data);
                ours.reset();
                Checks.same(algorithm + " after a reset", expected, ours.digest(data));
                ours.update(data);
                MessageDigest clone = clone(ours);
                Checks.holds(algorithm + " of a clone", clone == null || Arrays.equals(expected, clone.digest()));
                Checks.same(algorithm + " of the cloned", expected, ours.digest());
            }
        }
    }

    /** SunPKCS11 clones what the module can save the state of; what it refuses to clone must go on as it was. */
    private static MessageDigest clone(MessageDigest digest) {
        try {
            return (MessageDigest) digest.clone();
        } catch (CloneNotSupportedException why) {
            return null;
        }
    }
}
