package client;

import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Security;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.security.spec.AlgorithmParameterSpec;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.X509EncodedKeySpec;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Date;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** The other side of each check: Java's own providers, and certificates of Bouncy Castle. */
final class Software {
    static final Provider RSA = Security.getProvider("SunRsaSign");
    static final Provider EC = Security.getProvider("SunEC");
    static final Provider JCE = Security.getProvider("SunJCE");
    static final Provider SUN = Security.getProvider("SUN");
    private static final SecureRandom RANDOM = new SecureRandom();

    private Software() {}

    static Provider of(String algorithm) {
        return algorithm.startsWith("RSA") ? RSA : EC;
    }

    static byte[] random(int length) {
        byte[] bytes = new byte[length];
        RANDOM.nextBytes(bytes);
        return bytes;
    }

    static KeyPair rsa() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA", RSA);
        generator.initialize(2048);
        return generator.generateKeyPair();
    }

    static KeyPair ec(String curve) throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", EC);
        generator.initialize(new ECGenParameterSpec(curve));
        return generator.generateKeyPair();
    }

    /** The public key without the token. */
    static PublicKey copy(PublicKey key) throws GeneralSecurityException {
        String algorithm = key.getAlgorithm();
        return KeyFactory.getInstance(algorithm, of(algorithm)).generatePublic(new X509EncodedKeySpec(key.getEncoded()));
    }

    static boolean verifies(String algorithm, AlgorithmParameterSpec parameters, PublicKey key, byte[] data, byte[] signature)
            throws GeneralSecurityException {
        Signature verifier = Signature.getInstance(algorithm, of(key.getAlgorithm()));
        if (parameters != null) {
            verifier.setParameter(parameters);
        }
        verifier.initVerify(copy(key));
        verifier.update(data);
        return verifier.verify(signature);
    }

    /** A certificate for a key; the signer is of a provider. */
    static X509Certificate certificate(PublicKey key, String name, PrivateKey signer, String signerName, Provider provider)
            throws Exception {
        boolean authority = name.equals(signerName);
        Instant now = Instant.now();
        JcaX509v3CertificateBuilder builder = new JcaX509v3CertificateBuilder(
            new X500Principal("CN=" + signerName),
            new BigInteger(64, RANDOM),
            Date.from(now.minus(1, ChronoUnit.HOURS)),
            Date.from(now.plus(1, ChronoUnit.HOURS)),
            new X500Principal("CN=" + name),
            key);
        builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(authority));
        builder.addExtension(Extension.subjectAlternativeName, false, new GeneralNames(new GeneralName(GeneralName.dNSName, name)));
        String algorithm = signer.getAlgorithm().equals("EC") ? "SHA256withECDSA" : "SHA256withRSA";
        ContentSigner signing = new JcaContentSignerBuilder(algorithm).setProvider(provider).build(signer);
        return new JcaX509CertificateConverter().getCertificate(builder.build(signing));
    }
}
