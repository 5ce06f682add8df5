# The officer and the user change PINs, a forgotten one is set anew, and the token is made anew with nothing in it.
set -euo pipefail
. "$(dirname "$0")/token"
tool --keygen --key-type AES:16 --label kept --id c1 >>said
tool --change-pin --new-pin 111222 | tail -1
refused tool --list-objects
PIN=111222
tool --list-objects --type secrkey | grep -c 'label: *kept'
pkcs11-tool --module "$MODULE" --slot "$SLOT" --login --login-type so --so-pin "$SO_PIN" --init-pin --new-pin 333444 2>>said | tail -1
PIN=333444
# The key is there also after that.
tool --list-objects --type secrkey | grep -c 'label: *kept'
refused softhsm2-util --init-token --token recipe --label anew --so-pin 99999999 --pin "$PIN"
softhsm2-util --init-token --token recipe --label anew --so-pin "$SO_PIN" --pin 555666 | sed 's/slot [0-9]*/slot N/'
PIN=555666
tool --list-objects | grep -c Object || true
pkcs11-tool --module "$MODULE" --list-token-slots 2>>said | grep 'token label' | sed 's/ *: */: /'
