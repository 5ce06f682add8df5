# A key pair of before, taken into the token with softhsm2-util, signs as it did in its file.
set -euo pipefail
. "$(dirname "$0")/token"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem 2>>said
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem
openssl pkcs8 -topk8 -in ec.pem -passout pass:secret -v2 aes-256-cbc -out ec.p8
softhsm2-util --import rsa.pem --token recipe --label rsa --id 0a1b --pin "$PIN" | tail -1
softhsm2-util --import ec.p8 --file-pin secret --slot "$SLOT" --label ec --id 0a1c --pin "$PIN" | tail -1
# An id that another object has is refused, and with --force it is not.
refused softhsm2-util --import rsa.pem --token recipe --label again --id 0a1b --pin "$PIN"
softhsm2-util --import rsa.pem --token recipe --label again --id 0a1b --pin "$PIN" --force --no-public-key | tail -1
refused softhsm2-util --import ec.p8 --file-pin wrong --token recipe --label none --id 0a1d --pin "$PIN"
refused softhsm2-util --import rsa.pem --token recipe --label none --id 0a1e --pin 99999999

tool --list-objects | grep 'Object;\|^  label:\|^  ID:\|^  Usage:' | sort
printf 'what was signed before and after' >message
openssl dgst -sha256 -sign rsa.pem -out before message
tool --sign --mechanism SHA256-RSA-PKCS --id 0a1b --input-file message --output-file after >>said
cmp before after && echo 'the same signature'
openssl dgst -sha256 -binary -out digest message
tool --sign --mechanism ECDSA --signature-format openssl --id 0a1c --input-file digest --output-file after >>said
openssl pkey -in ec.pem -pubout -out ec.pub
openssl dgst -sha256 -verify ec.pub -signature after message
