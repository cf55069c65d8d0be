/* What a context proves with and whom it believes: certificates with their keys and staples, authorities. */
#include "tls.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

static BIO *bio_of(napi_env env, napi_value value) {
  size_t length;
  const uint8_t *bytes = read_bytes(env, value, &length);
  return bytes == NULL ? NULL : BIO_new_mem_buf(bytes, (int)length);
}

static int no_password(char *buffer, int size, int is_writing, void *data) {
  (void)buffer;
  (void)size;
  (void)is_writing;
  (void)data;
  return -1;
}

static int add_chain(SSL_CTX *ssl, BIO *source) {
  int result = 1;
  X509 *next;
  SSL_CTX_clear_chain_certs(ssl);
  while (result == 1 && (next = PEM_read_bio_X509(source, NULL, no_password, NULL)) != NULL) {
    result = SSL_CTX_add1_chain_cert(ssl, next) != 0;
    X509_free(next);
  }
  if (result == 1) ERR_clear_error(); /* the end of the file is an error too */
  return result;
}

static int use_certificate(struct context *context, BIO *chain, BIO *secret, const uint8_t *response, size_t length) {
  X509 *certificate = PEM_read_bio_X509_AUX(chain, NULL, no_password, NULL);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(secret, NULL, no_password, NULL);
  int result = certificate != NULL && key != NULL && SSL_CTX_use_certificate(context->ssl, certificate) == 1 &&
               add_chain(context->ssl, chain) && SSL_CTX_use_PrivateKey(context->ssl, key) == 1 &&
               SSL_CTX_check_private_key(context->ssl) == 1;
  if (result && length > 0 && context->staple_count < MAX_STAPLES) {
    struct staple *each = &context->staples[context->staple_count];
    each->response = malloc(length);
    if (each->response != NULL) {
      memcpy(each->response, response, length);
      each->length = length;
      each->certificate = certificate;
      X509_up_ref(certificate);
      context->staple_count++;
    }
  }
  EVP_PKEY_free(key);
  X509_free(certificate);
  return result;
}

/* addCertificate(context, chainPem, keyPem, ocspResponse) -> 0 | -1. One for each type of key. */
static napi_value add_certificate(napi_env env, napi_callback_info info) {
  napi_value argument[4] = {NULL};
  struct context *context = this_context(env, info, argument, 4);
  if (context == NULL) return make_int(env, -EBADF);
  BIO *chain = bio_of(env, argument[1]), *secret = bio_of(env, argument[2]);
  size_t length;
  const uint8_t *response = read_bytes(env, argument[3], &length);
  const int result = chain != NULL && secret != NULL && use_certificate(context, chain, secret, response, length);
  BIO_free(chain);
  BIO_free(secret);
  return make_int(env, result ? 0 : -1);
}

static int add_authorities(struct context *context, BIO *source) {
  X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
  int count = 0;
  for (X509 *next; (next = PEM_read_bio_X509(source, NULL, no_password, NULL)) != NULL; count++) {
    X509_STORE_add_cert(store, next);
    if (context->is_server) SSL_CTX_add_client_CA(context->ssl, next);
    X509_free(next);
  }
  if (count > 0) ERR_clear_error();
  return count > 0;
}

/* setTrust(context, authoritiesPem, mode): 0 nothing is verified, 1 a certificate that is given, 2 one is required */
static napi_value set_trust(napi_env env, napi_callback_info info) {
  napi_value argument[3] = {NULL};
  struct context *context = this_context(env, info, argument, 3);
  if (context == NULL) return make_int(env, -EBADF);
  const int mode = read_int(env, argument[2]);
  BIO *source = bio_of(env, argument[1]);
  const int result = source == NULL || add_authorities(context, source);
  BIO_free(source);
  SSL_CTX_set_verify(context->ssl, mode == 0 ? SSL_VERIFY_NONE : mode == 1 ? SSL_VERIFY_PEER : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  return make_int(env, result ? 0 : -1);
}

const struct method tls_certificate_methods[] = {{"addCertificate", add_certificate}, {"setTrust", set_trust}};
const size_t tls_certificate_method_count = sizeof tls_certificate_methods / sizeof tls_certificate_methods[0];
