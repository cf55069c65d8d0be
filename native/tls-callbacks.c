/* What OpenSSL asks a server for during a handshake: the ClientHello's owner, a protocol, a staple, a key for tickets. */
#include "tls.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

static struct context *context_of(SSL *ssl) {
  return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index());
}

/* Stops the handshake once at the ClientHello, so that its owner may choose another context. */
static int hello_arrived(SSL *ssl, int *alert, void *argument) {
  (void)alert;
  (void)argument;
  struct session *session = SSL_get_ex_data(ssl, owner_index());
  if (session->has_asked || session->hello == NULL) return SSL_CLIENT_HELLO_SUCCESS;
  session->has_asked = 1;
  SSL_set_msg_callback(ssl, NULL);
  return SSL_CLIENT_HELLO_RETRY;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *length, const unsigned char *in, unsigned in_length,
                           void *argument) {
  (void)argument;
  const struct context *context = context_of(ssl);
  if (context->protocols_length == 0) return SSL_TLSEXT_ERR_NOACK;
  const int result =
      SSL_select_next_proto((unsigned char **)(uintptr_t)out, length, context->protocols, context->protocols_length, in, in_length);
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int staple(SSL *ssl, void *argument) {
  (void)argument;
  const struct context *context = context_of(ssl);
  const X509 *chosen = SSL_get_certificate(ssl);
  for (unsigned i = 0; i < context->staple_count && chosen != NULL; i++) {
    const struct staple *each = &context->staples[i];
    if (X509_cmp(each->certificate, chosen) != 0) continue;
    uint8_t *copy = OPENSSL_memdup(each->response, each->length);
    if (copy == NULL) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)each->length);
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

/* A key of the ring: 16 bytes of name, 32 for HMAC, 32 for AES. The first word of the memory is the index of the one in force. */
static const uint8_t *ticket_key(const struct tls *tls, unsigned age) {
  const uint32_t current = __atomic_load_n((const uint32_t *)(const void *)tls->ticket_keys, __ATOMIC_ACQUIRE);
  return tls->ticket_keys + TICKET_KEYS_AT + ((current + TICKET_SLOTS - age) % TICKET_SLOTS) * TICKET_KEY_BYTES;
}

static int use_ticket_key(const uint8_t *key, EVP_MAC_CTX *mac) {
  char digest[] = "SHA256";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)(key + 16), 32),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_CTX_set_params(mac, params);
}

/* 1: the ticket is good; 2: so it is, and the client is to have a new one; 0: unknown, a full handshake. */
static int seal_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing) {
  const struct tls *tls = context_of(ssl)->tls;
  if (is_sealing) {
    const uint8_t *key = ticket_key(tls, 0);
    memcpy(name, key, 16);
    if (RAND_bytes(iv, 16) != 1 || !EVP_EncryptInit_ex(cipher, tls->ticket_cipher, NULL, key + 48, iv)) return -1;
    return use_ticket_key(key, mac) ? 1 : -1;
  }
  /* The oldest slot is the next to be written. */
  for (unsigned age = 0; age < TICKET_SLOTS - 1; age++) {
    const uint8_t *key = ticket_key(tls, age);
    if (memcmp(name, key, 16) != 0) continue;
    if (!EVP_DecryptInit_ex(cipher, tls->ticket_cipher, NULL, key + 48, iv) || !use_ticket_key(key, mac)) return -1;
    /* Clients use a ticket of TLS 1.3 once, so that each resumption brings a new one. */
    return age == 0 && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
  }
  return 0;
}

void set_server_callbacks(struct context *context) {
  SSL_CTX_set_client_hello_cb(context->ssl, hello_arrived, NULL);
  SSL_CTX_set_alpn_select_cb(context->ssl, choose_protocol, NULL);
  SSL_CTX_set_tlsext_status_cb(context->ssl, staple);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context->ssl, seal_ticket);
}
