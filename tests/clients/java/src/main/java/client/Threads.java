package client;

import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;

/** Many threads use the token at once, while keys that nobody holds any more are destroyed behind them. */
final class Threads {
    private static final int THREADS = 16;
    private static final int TIMES = 200;

    private Threads() {}

    static void check(Token token) throws Exception {
        KeyPair[] pairs = {token.ec("secp256r1"), token.rsa()};
        PublicKey[] publics = {Software.copy(pairs[0].getPublic()), Software.copy(pairs[1].getPublic())};
        String[] algorithms = {"SHA256withECDSA", "SHA256withRSA"};
        together(thread -> {
            // Every fourth thread signs with RSA.
            int which = thread % 4 == 0 ? 1 : 0;
            signatures(token, algorithms[which], pairs[which].getPrivate(), publics[which]);
        });
        together(thread -> shortLived(token, thread == 0));
    }

    private interface Work {
        void run(int thread) throws Exception;
    }

    private static void together(Work work) throws Exception {
        ExecutorService executor = Executors.newFixedThreadPool(THREADS);
        try {
            List<Callable<Void>> tasks = new ArrayList<>();
            for (int thread = 0; thread < THREADS; thread++) {
                int number = thread;
                tasks.add(() -> {
                    work.run(number);
                    return null;
                });
            }
            for (Future<Void> done : executor.invokeAll(tasks)) {
                done.get();
            }
        } finally {
            executor.shutdownNow();
        }
    }

    private static void signatures(Token token, String algorithm, PrivateKey key, PublicKey verifying) throws Exception {
        for (int time = 0; time < TIMES; time++) {
            byte[] data = Software.random(100);
            Signature signer = Signature.getInstance(algorithm, token.provider());
            signer.initSign(key);
            signer.update(data);
            Checks.holds(algorithm + " of many threads", Software.verifies(algorithm, null, verifying, data, signer.sign()));
        }
    }

    /** Each time another key of a session; SunPKCS11 destroys it some time after it was collected. */
    private static void shortLived(Token token, boolean collects) throws Exception {
        for (int time = 0; time < TIMES; time++) {
            SecretKey key = new SecretKeySpec(Software.random(16), "AES");
            byte[] data = Software.random(64);
            Cipher ours = Cipher.getInstance("AES/ECB/NoPadding", token.provider());
            ours.init(Cipher.ENCRYPT_MODE, key);
            Cipher theirs = Cipher.getInstance("AES/ECB/NoPadding", Software.JCE);
            theirs.init(Cipher.DECRYPT_MODE, key);
            Checks.same("a key for once", data, theirs.doFinal(ours.doFinal(data)));
            if (collects && time % 20 == 0) {
                System.gc();
            }
        }
    }
}
