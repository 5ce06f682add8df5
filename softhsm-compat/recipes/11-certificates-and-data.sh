# What else a token keeps: certificates, public keys and data, written, found, read and deleted.
set -euo pipefail
. "$(dirname "$0")/token"
openssl req -new -x509 -newkey rsa:2048 -nodes -keyout key.pem -subj '/CN=kept.example' -days 30 -outform DER -out kept.der 2>>said
openssl rsa -in key.pem -pubout -outform DER -out public.der 2>>said
printf 'some settings that an application keeps\n' >settings
tool --write-object kept.der --type cert --label kept --id b1 >>said
tool --write-object public.der --type pubkey --label kept --id b1 --usage-sign >>said
tool --write-object settings --type data --label settings --application-label application --private >>said
tool --list-objects | grep -c 'Object'
tool --list-objects --type data | grep 'label:\|application:' | sort
tool --read-object --type data --label settings --output-file read
cmp settings read && echo 'the settings again'
tool --read-object --type cert --id b1 --output-file read
cmp kept.der read && echo 'the certificate again'
# Who is not logged in finds the certificate and the public key, and not the settings.
pkcs11-tool --module "$MODULE" --slot "$SLOT" --list-objects 2>>said | sed -n 's/^\([A-Z][A-Za-z ]*\) [Oo]bject.*/\1/p' | sort
for type in cert pubkey; do
    tool --delete-object --type $type --id b1 >>said
done
tool --delete-object --type data --label settings >>said
refused tool --read-object --type data --label settings --output-file none
tool --list-objects | grep -c 'Object' || true
