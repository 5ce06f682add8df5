package client;

/** All checks, of one area after the other; the last line says how many there were. */
final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Token token = Token.open(System.getenv("PKCS11_MODULE"), System.getenv("PIN"));
        Logins.check(token);
        Stores.check(token);
        Signatures.check(token);
        Ciphers.check(token);
        Wraps.check(token);
        Macs.check(token);
        Agreements.check(token);
        Digests.check(token);
        Randoms.check(token);
        Tls.check(token);
        Threads.check(token);
        Stores.keep(token);
        System.out.println(Checks.made() + " checks");
    }
}
