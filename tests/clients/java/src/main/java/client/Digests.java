package client;

import java.security.MessageDigest;

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
                MessageDigest clone = (MessageDigest) ours.clone();
                Checks.same(algorithm + " of a clone", expected, clone.digest());
                Checks.same(algorithm + " of the cloned", expected, ours.digest());
            }
        }
    }
}
