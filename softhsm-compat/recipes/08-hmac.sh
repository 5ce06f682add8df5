# A secret for HMAC that the token makes and gives out once: its codes are those of OpenSSL.
set -euo pipefail
. "$(dirname "$0")/token"
tool --keygen --key-type GENERIC:64 --label code --id 81 --extractable >>said
tool --read-object --type secrkey --id 81 --output-file secret
wc -c <secret
printf 'what has a code' >message
for hash in SHA-1 SHA256 SHA512; do
    mechanism=$hash-HMAC
    tool --sign --mechanism $mechanism --id 81 --input-file message --output-file code >>said
    openssl dgst -"$(echo $hash | tr -d -)" -mac HMAC -macopt hexkey:"$(od -An -v -tx1 secret | tr -d ' \n')" -binary -out wanted message
    cmp code wanted
    echo "$hash: $(wc -c <code) bytes, as of OpenSSL"
    tool --verify --mechanism $mechanism --id 81 --input-file message --signature-file code
done
printf 'what has another code' >message
tool --verify --mechanism SHA512-HMAC --id 81 --input-file message --signature-file code || true
