# What dnssec-keyfromlabel and named do with ECDSAP256SHA256 and ECDSAP384SHA384: r and s beside each other (RFC 6605).
set -euo pipefail
. "$(dirname "$0")/token"
for row in '256 prime256v1 64' '384 secp384r1 96'; do
    # shellcheck disable=SC2086 # words on purpose
    set -- $row
    label=example-ksk-$1
    tool --keypairgen --key-type EC:$2 --label $label --id 0$1 --usage-sign >>said
    printf 'example. 3600 IN DNSKEY 257 3 13' >rrset
    openssl dgst -sha$1 -binary -out digest rrset
    tool --sign --mechanism ECDSA --id 0$1 --input-file digest --output-file rrsig >>said
    [ "$(wc -c <rrsig)" -eq "$3" ]
    echo "$1: $3 bytes"
    # OpenSSL reads the two numbers as a SEQUENCE; a half has as many digits as the whole has bytes.
    half=$3
    {
        echo 'asn1 = SEQUENCE:numbers'
        echo '[numbers]'
        od -An -v -tx1 rrsig | tr -d ' \n' | sed "s/^\(.\{$half\}\)\(.*\)/r = INTEGER:0x\1\ns = INTEGER:0x\2\n/"
    } >numbers
    openssl asn1parse -genconf numbers -noout -out signature.der
    public_key $label public.pem
    openssl dgst -sha$1 -verify public.pem -signature signature.der rrset
    tool --verify --mechanism ECDSA --id 0$1 --input-file digest --signature-file rrsig
    openssl dgst -sha$1 -binary -out other made
    tool --verify --mechanism ECDSA --id 0$1 --input-file other --signature-file rrsig || true
done
