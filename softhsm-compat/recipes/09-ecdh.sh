# Two sides agree on a secret: one in the token, one with a file.
set -euo pipefail
. "$(dirname "$0")/token"
tool --keypairgen --key-type EC:prime256v1 --label agree --id 91 --usage-derive >>said
public_key agree token.pem
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem
openssl pkey -in other.pem -pubout -outform DER -out other.der
tool --derive --mechanism ECDH1-DERIVE --id 91 --input-file other.der --output-file derived >>said
openssl pkeyutl -derive -inkey other.pem -peerkey token.pem -out wanted
cmp derived wanted && echo 'one secret'
wc -c <derived
