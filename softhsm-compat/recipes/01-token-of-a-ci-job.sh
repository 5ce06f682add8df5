# A CI job that makes a throw-away token, uses it, and takes it away: as in images of test suites.
set -euo pipefail
# The job's own configuration, because /etc/softhsm is not the job's to read.
mkdir -p job/tokens
cat >job/softhsm2.conf <<END
directories.tokendir = $PWD/job/tokens
objectstore.backend = file
log.level = ERROR
slots.removable = false
END
export SOFTHSM2_CONF=$PWD/job/softhsm2.conf
. "$(dirname "$0")/token"

softhsm2-util --show-slots | sed -n 's/^ *\(Initialized\|User PIN init\.\|Label\): *\(.*[^ ]\) *$/\1: \2/p'
pkcs11-tool --module "$MODULE" --list-token-slots 2>>said | grep -c 'token label *: recipe'

tool --keypairgen --key-type EC:prime256v1 --label job --id 01 >>said
printf 'what the job signs' >message
openssl dgst -sha256 -binary -out digest message
tool --sign --mechanism ECDSA --signature-format openssl --id 01 --input-file digest --output-file signature >>said
public_key job public.pem
openssl dgst -sha256 -verify public.pem -signature signature message

softhsm2-util --delete-token --token recipe --so-pin "$SO_PIN" | sed -n '1s/(.*)/(serial)/p'
refused softhsm2-util --delete-token --token recipe --so-pin "$SO_PIN"
pkcs11-tool --module "$MODULE" --list-token-slots 2>>said | grep -c 'token label *: recipe' || true
