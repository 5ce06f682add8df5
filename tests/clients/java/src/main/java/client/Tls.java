package client;

import java.net.InetAddress;
import java.security.KeyPair;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** A server with a key of the token, and a client that trusts its authority alone. */
final class Tls {
    private static final int TIMEOUT = 30_000;

    private Tls() {}

    static void check(Token token) throws Exception {
        KeyPair authority = Software.ec("secp256r1");
        X509Certificate root = Software.certificate(authority.getPublic(), "root", authority.getPrivate(), "root", Software.EC);
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("root", root);
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        SSLContext client = SSLContext.getInstance("TLS");
        client.init(null, trust.getTrustManagers(), null);

        KeyPair[] pairs = {token.rsa(), token.ec("secp256r1"), token.ec("secp384r1")};
        for (KeyPair pair : pairs) {
            X509Certificate leaf =
                Software.certificate(Software.copy(pair.getPublic()), "localhost", authority.getPrivate(), "root", Software.EC);
            token.store().setKeyEntry("server", pair.getPrivate(), null, new Certificate[] {leaf, root});
            KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
            keys.init(token.store(), null);
            SSLContext server = SSLContext.getInstance("TLS");
            server.init(keys.getKeyManagers(), null, null);
            for (String version : new String[] {"TLSv1.3", "TLSv1.2"}) {
                talk(server, client, version, leaf);
            }
            token.store().deleteEntry("server");
        }
    }

    private static void talk(SSLContext serving, SSLContext asking, String version, X509Certificate leaf) throws Exception {
        InetAddress here = InetAddress.getLoopbackAddress();
        ExecutorService executor = Executors.newSingleThreadExecutor();
        try (SSLServerSocket server = (SSLServerSocket) serving.getServerSocketFactory().createServerSocket(0, 1, here)) {
            server.setSoTimeout(TIMEOUT);
            Callable<Void> answer = () -> {
                try (SSLSocket socket = (SSLSocket) server.accept()) {
                    socket.setSoTimeout(TIMEOUT);
                    byte[] asked = socket.getInputStream().readNBytes(10);
                    socket.getOutputStream().write(new StringBuilder(new String(asked)).reverse().toString().getBytes());
                }
                return null;
            };
            Future<Void> answered = executor.submit(answer);
            try (SSLSocket socket = (SSLSocket) asking.getSocketFactory().createSocket(here, server.getLocalPort())) {
                socket.setSoTimeout(TIMEOUT);
                SSLParameters parameters = socket.getSSLParameters();
                parameters.setProtocols(new String[] {version});
                parameters.setServerNames(java.util.List.of(new javax.net.ssl.SNIHostName("localhost")));
                socket.setSSLParameters(parameters);
                socket.getOutputStream().write("moorgnorts".getBytes());
                String said = new String(socket.getInputStream().readNBytes(10));
                Checks.holds("the server says " + said, said.equals("strongroom"));
                SSLSession session = socket.getSession();
                Checks.holds("it is " + session.getProtocol(), session.getProtocol().equals(version));
                Checks.holds("it is this key's certificate", leaf.equals(session.getPeerCertificates()[0]));
            }
            answered.get();
        } finally {
            executor.shutdownNow();
        }
    }
}
