import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.exceptions.JedisAccessControlException;
import redis.clients.jedis.exceptions.JedisConnectionException;

/**
 * Logs in at a TLS port as users with a password and with a certificate. Arguments: port, issuers,
 * a certificate and its key.
 */
public class TlsClient {
  static int port;

  static Certificate certificate(String file) throws Exception {
    byte[] bytes = Files.readAllBytes(Path.of(file));
    return CertificateFactory.getInstance("X.509")
        .generateCertificate(new ByteArrayInputStream(bytes));
  }

  static KeyStore emptyStore() throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    return store;
  }

  static SSLSocketFactory factory(String issuer, String cert, String key) throws Exception {
    KeyStore issuers = emptyStore();
    issuers.setCertificateEntry("ca", certificate(issuer));
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(issuers);
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    KeyStore own = emptyStore();
    if (cert != null) {
      String pem = Files.readString(Path.of(key)).replaceAll("-----[^-]+-----|\\s", "");
      var spec = new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem));
      var secret = KeyFactory.getInstance("EC").generatePrivate(spec);
      own.setKeyEntry("own", secret, new char[0], new Certificate[] {certificate(cert)});
    }
    keys.init(own, new char[0]);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
    return context.getSocketFactory();
  }

  static Jedis open(RedisProtocol protocol, String user, String password, SSLSocketFactory tls) {
    var config = DefaultJedisClientConfig.builder().ssl(true).protocol(protocol);
    if (tls != null) config.sslSocketFactory(tls);
    if (user != null) config.user(user).password(password);
    return new Jedis(new HostAndPort("localhost", port), config.build());
  }

  static void expect(boolean is, Object what) {
    if (!is) throw new AssertionError("unexpected: " + what);
  }

  public static void main(String[] args) throws Exception {
    port = Integer.parseInt(args[0]);
    SSLSocketFactory plain = factory(args[1], null, null);
    SSLSocketFactory certified = factory(args[1], args[2], args[3]);
    for (RedisProtocol protocol : RedisProtocol.values()) {
      try (Jedis ann = open(protocol, "ann", "ann's password", plain)) {
        ann.set("a:1", "x");
        expect("x".equals(ann.get("a:1")), "a:1");
        var block = ann.multi();
        block.del("a:n");
        block.incr("a:n");
        List<Object> replies = block.exec();
        expect(replies.get(1).equals(1L), replies);
        try {
          ann.get("b:1");
          expect(false, "a key of others was read");
        } catch (JedisAccessControlException error) {
          expect(error.getMessage().startsWith("NOPERM"), error);
        }
      }
      try (Jedis bob = open(protocol, null, null, certified)) {
        expect("bob".equals(bob.aclWhoAmI()), bob.aclWhoAmI());
      }
    }
    try (Jedis guess = open(RedisProtocol.RESP2, "ann", "guess", plain)) {
      guess.ping();
      expect(false, "a guess was taken");
    } catch (JedisAccessControlException error) {
      expect(error.getMessage().startsWith("WRONGPASS"), error);
    }
    try (Jedis stranger = open(RedisProtocol.RESP2, "ann", "ann's password", null)) {
      stranger.ping();
      expect(false, "an unknown issuer was taken");
    } catch (JedisConnectionException error) {
      expect(String.valueOf(error.getCause()).contains("SSL"), error);
    }
    System.out.println("well");
  }
}
