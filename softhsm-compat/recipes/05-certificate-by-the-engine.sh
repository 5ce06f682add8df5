# A request and a certificate that OpenSSL's engine signs with a key of the token.
set -euo pipefail
. "$(dirname "$0")/token"
tool --keypairgen --key-type rsa:2048 --label server --id 05 >>said
key='pkcs11:token=recipe;object=server;type=private'
with_engine req -new -engine pkcs11 -keyform engine -key "$key" -subj '/CN=server.example' -sha256 -out request.pem
openssl req -in request.pem -verify -noout -subject 2>&1
with_engine x509 -req -engine pkcs11 -in request.pem -keyform engine -signkey "$key" -days 30 -out server.pem
openssl verify -CAfile server.pem server.pem
# An authority of the token's issues one for a key of a file.
with_engine req -new -x509 -engine pkcs11 -keyform engine -key "$key" -subj '/CN=authority.example' -days 30 -out authority.pem
openssl req -new -newkey rsa:2048 -nodes -keyout leaf.key -subj '/CN=leaf.example' -out leaf.csr 2>>said
with_engine x509 -req -engine pkcs11 -in leaf.csr -CA authority.pem -CAkeyform engine -CAkey "$key" -set_serial 2 -days 30 \
    -extfile engine.cnf -extensions leaf -out leaf.pem
openssl verify -CAfile authority.pem leaf.pem
# The certificate goes into the token, beside its key.
openssl x509 -in server.pem -outform DER -out server.der
tool --write-object server.der --type cert --label server --id 05 >>said
tool --read-object --type cert --label server --output-file read.der
cmp server.der read.der && echo 'the same certificate'
