package client;

import java.nio.ByteBuffer;
import java.security.KeyPair;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.spec.AlgorithmParameterSpec;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;

/** Signatures of the token, verified by software; signatures of software, verified by the token. */
final class Signatures {
    private Signatures() {}

    static void check(Token token) throws Exception {
        KeyPair made = token.rsa();
        KeyPair software = Software.rsa();
        for (String hash : new String[] {"SHA1", "SHA224", "SHA256", "SHA384", "SHA512"}) {
            both(token, hash + "withRSA", null, made, software);
        }
        both(token, "RSASSA-PSS", pss("SHA-256", MGF1ParameterSpec.SHA256, 32), made, software);
        both(token, "RSASSA-PSS", pss("SHA-384", MGF1ParameterSpec.SHA384, 48), made, software);
        both(token, "RSASSA-PSS", pss("SHA-512", MGF1ParameterSpec.SHA512, 0), made, software);

        for (String curve : new String[] {"secp256r1", "secp384r1", "secp521r1"}) {
            made = token.ec(curve);
            software = Software.ec(curve);
            for (String hash : new String[] {"SHA1", "SHA224", "SHA256", "SHA384", "SHA512"}) {
                both(token, hash + "withECDSA", null, made, software);
            }
            both(token, "SHA256withECDSAinP1363Format", null, made, software);
            raw(token, made);
        }
    }

    private static AlgorithmParameterSpec pss(String hash, MGF1ParameterSpec mask, int salt) {
        return new PSSParameterSpec(hash, "MGF1", mask, salt, PSSParameterSpec.TRAILER_FIELD_BC);
    }

    private static void both(Token token, String algorithm, AlgorithmParameterSpec parameters, KeyPair made, KeyPair software)
            throws Exception {
        // Of no length, short, and longer than what SunPKCS11 passes on at once.
        for (int length : new int[] {0, 100, 100_000}) {
            String what = algorithm + " of " + length + " bytes";
            byte[] data = Software.random(length);
            Signature signer = Signature.getInstance(algorithm, token.provider());
            if (parameters != null) {
                signer.setParameter(parameters);
            }
            signer.initSign(made.getPrivate());
            signer.update(data);
            byte[] signature = signer.sign();
            Checks.holds(what, Software.verifies(algorithm, parameters, made.getPublic(), data, signature));

            // The same object again, from memory outside the heap and in two parts.
            ByteBuffer direct = ByteBuffer.allocateDirect(length);
            direct.put(data).flip();
            direct.limit(length / 2);
            signer.update(direct);
            direct.limit(length);
            signer.update(direct);
            Checks.holds(what + " in parts", Software.verifies(algorithm, parameters, made.getPublic(), data, signer.sign()));

            Signature theirs = Signature.getInstance(algorithm, Software.of(software.getPublic().getAlgorithm()));
            if (parameters != null) {
                theirs.setParameter(parameters);
            }
            theirs.initSign(software.getPrivate());
            theirs.update(data);
            signature = theirs.sign();
            Checks.holds(what + " of software", verifies(token, algorithm, parameters, software, data, signature));
            byte[] changed = data.length == 0 ? new byte[1] : data.clone();
            changed[0] ^= 1;
            Checks.holds(what + ", changed", !verifies(token, algorithm, parameters, software, changed, signature));
        }
    }

    private static boolean verifies(
            Token token, String algorithm, AlgorithmParameterSpec parameters, KeyPair pair, byte[] data, byte[] signature)
            throws Exception {
        Signature verifier = Signature.getInstance(algorithm, token.provider());
        if (parameters != null) {
            verifier.setParameter(parameters);
        }
        verifier.initVerify(pair.getPublic());
        verifier.update(data);
        return verifier.verify(signature);
    }

    /** The caller brings the digest. */
    private static void raw(Token token, KeyPair pair) throws Exception {
        byte[] data = Software.random(1000);
        byte[] digest = MessageDigest.getInstance("SHA-256", Software.SUN).digest(data);
        Signature signer = Signature.getInstance("NONEwithECDSA", token.provider());
        signer.initSign(pair.getPrivate());
        signer.update(digest);
        byte[] signature = signer.sign();
        Checks.holds("a digest", Software.verifies("NONEwithECDSA", null, pair.getPublic(), digest, signature));
        Checks.holds("its data", Software.verifies("SHA256withECDSA", null, pair.getPublic(), data, signature));
    }
}
