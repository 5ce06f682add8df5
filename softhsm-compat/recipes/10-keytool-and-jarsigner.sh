# Java's key store in the token: a key with its certificate, and a signed archive.
set -euo pipefail
. "$(dirname "$0")/token"
cat >pkcs11.cfg <<END
name = recipe
library = $MODULE
slot = $SLOT
attributes(*, CKO_PRIVATE_KEY, *) = {
  CKA_SIGN = true
  CKA_SENSITIVE = true
}
END
store='-keystore NONE -storetype PKCS11 -addprovider SunPKCS11 -providerArg pkcs11.cfg -storepass:env PIN'
# They live too short for the best code.
quick='-J-XX:TieredStopAtLevel=1'
# shellcheck disable=SC2086 # words on purpose
keytool $quick $store -genkeypair -alias code -dname 'CN=code.example' -keyalg RSA -keysize 2048 >>said 2>&1
printf 'what is signed' >file
jar cf signed.jar file
# shellcheck disable=SC2086
jarsigner $quick $store signed.jar code 2>>said | grep 'jar signed'
jarsigner $quick -verify signed.jar 2>>said | grep 'jar verified'
# shellcheck disable=SC2086
keytool $quick $store -list 2>>said | grep 'contains\|^code' | sed 's/, .* PrivateKeyEntry/, PrivateKeyEntry/'
tool --list-objects | grep 'Object;' | sort
# shellcheck disable=SC2086
keytool $quick $store -delete -alias code >>said 2>&1
tool --list-objects | grep -c 'Object;' || true
