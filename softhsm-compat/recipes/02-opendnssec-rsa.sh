# What OpenDNSSEC has in its repository: a KSK and a ZSK of RSA by ids of 16 bytes, and the signatures of RRsets.
set -euo pipefail
. "$(dirname "$0")/token"
ksk=8e0ed1b2f4a96a0c6f7b3c21d95e4402 zsk=51c7a3f08d2e4b9680aa15f37c6d20e9
for id in $ksk $zsk; do
    # OpenDNSSEC's labels are the ids.
    tool --keypairgen --key-type rsa:2048 --label $id --id $id >>said
done
tool --list-objects --type privkey | grep -c "Private Key Object; RSA"
for id in $ksk $zsk; do
    public_key $id $id.pem
    for hash in SHA1 SHA256 SHA512; do
        printf 'example. 3600 IN DNSKEY 257 3 8 %s' $hash >rrset
        tool --sign --mechanism $hash-RSA-PKCS --id $id --input-file rrset --output-file $hash.rrsig >>said
        openssl dgst -$hash -verify $id.pem -signature $hash.rrsig rrset
    done
done
# The digest that the signer made itself, with the DigestInfo before it: CKM_RSA_PKCS.
printf '\060\061\060\015\006\011\140\206\110\001\145\003\004\002\001\005\000\004\040' >info
openssl dgst -sha256 -binary rrset >>info
tool --sign --mechanism RSA-PKCS --id $zsk --input-file info --output-file raw >>said
tool --sign --mechanism SHA256-RSA-PKCS --id $zsk --input-file rrset --output-file whole >>said
cmp raw whole && echo 'the same signature'
# The old ZSK is retired: both halves go.
tool --delete-object --type privkey --id $zsk >>said
tool --delete-object --type pubkey --id $zsk >>said
refused tool --sign --mechanism SHA256-RSA-PKCS --id $zsk --input-file rrset --output-file none
tool --list-objects | grep -c Object
