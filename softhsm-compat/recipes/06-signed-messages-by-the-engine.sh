# Files and messages that OpenSSL's engine signs and decrypts with a key of the token: dgst, pkeyutl, cms.
set -euo pipefail
. "$(dirname "$0")/token"
tool --keypairgen --key-type rsa:2048 --label mail --id 06 >>said
key='pkcs11:token=recipe;object=mail;type=private'
public_key mail public.pem
printf 'the text of a message\n' >message
with_engine dgst -engine pkcs11 -keyform engine -sha256 -sign "$key" -out signature message
openssl dgst -sha256 -verify public.pem -signature signature message
with_engine dgst -engine pkcs11 -keyform engine -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 \
    -sign "$key" -out signature message
openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -verify public.pem -signature signature message

with_engine req -new -x509 -engine pkcs11 -keyform engine -key "$key" -subj '/CN=mail.example' -days 30 -out mail.pem
with_engine cms -sign -engine pkcs11 -keyform engine -inkey "$key" -signer mail.pem -in message -text -out signed
openssl cms -verify -CAfile mail.pem -purpose any -in signed -text -out read 2>&1
tr -d '\r' <read | cmp - message && echo 'the same message'
openssl cms -encrypt -in message -binary -aes256 -out sealed mail.pem
with_engine cms -decrypt -engine pkcs11 -keyform engine -inkey "$key" -recip mail.pem -in sealed -binary -out opened
cmp opened message && echo 'the message again'
refused with_engine dgst -engine pkcs11 -keyform engine -sha256 -sign 'pkcs11:token=none;object=mail;type=private' -out none message
