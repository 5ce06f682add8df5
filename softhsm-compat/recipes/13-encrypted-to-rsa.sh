# What others encrypted for an RSA key of the token, and a secret key that comes in under it.
set -euo pipefail
. "$(dirname "$0")/token"
tool --keypairgen --key-type rsa:2048 --label box --id d1 >>said
public_key box public.pem
printf 'a secret for the token' >message
openssl pkeyutl -encrypt -pubin -inkey public.pem -in message -out encrypted
tool --decrypt --mechanism RSA-PKCS --id d1 --input-file encrypted --output-file read >>said
cmp message read && echo 'by PKCS #1'
openssl pkeyutl -encrypt -pubin -inkey public.pem -pkeyopt rsa_padding_mode:oaep -in message -out encrypted
tool --decrypt --mechanism RSA-PKCS-OAEP --hash-algorithm SHA-1 --id d1 --input-file encrypted --output-file read >>said
cmp message read && echo 'by OAEP'
