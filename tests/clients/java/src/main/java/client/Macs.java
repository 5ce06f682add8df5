package client;

import javax.crypto.Mac;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;

/** HMACs with a key of the token are those of software. */
final class Macs {
    private Macs() {}

    static void check(Token token) throws Exception {
        byte[] value = Software.random(32);
        SecretKey kept = token.secret("mac", value, "Generic");
        for (String algorithm : new String[] {"HmacSHA1", "HmacSHA224", "HmacSHA256", "HmacSHA384", "HmacSHA512"}) {
            Mac theirs = Mac.getInstance(algorithm, Software.JCE);
            theirs.init(new SecretKeySpec(value, algorithm));
            Mac ours = Mac.getInstance(algorithm, token.provider());
            ours.init(kept);
            for (int length : new int[] {0, 1, 64, 100_000}) {
                byte[] data = Software.random(length);
                byte[] expected = theirs.doFinal(data);
                Checks.same(algorithm + " of " + length + " bytes", expected, ours.doFinal(data));
                ours.update(data, 0, length / 2);
                ours.update(data, length / 2, length - length / 2);
                Checks.same(algorithm + " in parts", expected, ours.doFinal());
                ours.update(data);
                ours.reset();
                Checks.same(algorithm + " after a reset", expected, ours.doFinal(data));
            }
        }
        token.store().deleteEntry("mac");
    }
}
