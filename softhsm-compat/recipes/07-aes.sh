# AES keys: one that the token makes, and one of before, with which OpenSSL encrypts the same.
set -euo pipefail
. "$(dirname "$0")/token"
iv=000102030405060708090a0b0c0d0e0f
printf 'what is encrypted, and no multiple of a block' >message
tool --keygen --key-type AES:32 --label made --id 71 >>said
tool --encrypt --mechanism AES-CBC-PAD --iv $iv --id 71 --input-file message --output-file encrypted >>said
tool --decrypt --mechanism AES-CBC-PAD --iv $iv --id 71 --input-file encrypted --output-file decrypted >>said
cmp message decrypted && echo 'the message again'
wc -c <encrypted
refused tool --read-object --type secrkey --id 71 --output-file value

printf '0123456789abcdef0123456789abcdef' >key
softhsm2-util --import key --aes --token recipe --label old --id 72 --pin "$PIN" | sed 's/slot [0-9]*/slot N/'
tool --encrypt --mechanism AES-CBC-PAD --iv $iv --id 72 --input-file message --output-file encrypted >>said
openssl enc -aes-256-cbc -K "$(od -An -v -tx1 key | tr -d ' \n')" -iv $iv -in message -out wanted
cmp encrypted wanted && echo 'as OpenSSL encrypts'
head -c 64 /dev/zero >blocks
tool --encrypt --mechanism AES-ECB --id 72 --input-file blocks --output-file encrypted >>said
openssl dgst -sha256 -r encrypted | cut -c -64
tool --list-objects --type secrkey | grep 'Object;\|^  label:\|^  ID:' | sort
