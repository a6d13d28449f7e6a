# Further certificates, in the directory of pki.sh: CAs between the root and the gateways, other
# roots, and certificates that have expired or are not valid yet. `ca.pem` comes from pki.sh.

cat >dated.conf <<END
[ca]
default_ca = all
[all]
database = dated.txt
new_certs_dir = .
default_md = sha256
rand_serial = yes
unique_subject = no
policy = any
[any]
commonName = supplied
END
: >dated.txt

request() {
    [ -e "$1.key" ] || openssl ecparam -name "${CURVE:-prime256v1}" -genkey -noout -out "$1.key"
    openssl req -new -key "$1.key" -subj "/CN=$2" -out request
}

# dated FILE NAME CA FROM TO: sign a certificate with the CA, valid between two dates.
dated() {
    openssl ca -batch -notext -config dated.conf -cert "$3.pem" -keyfile "$3.key" -in request \
        -extfile extensions -startdate "$4" -enddate "$5" -out "$1.pem"
}

authority() {
    request "$1" "$2"
    printf 'basicConstraints = critical, CA:TRUE\nsubjectKeyIdentifier = hash\n' >extensions
    echo 'authorityKeyIdentifier = keyid' >>extensions
    dated "$1" "$2" "$3" "${4:-20200101000000Z}" "${5:-21200101000000Z}"
}

gateway() {
    request "$1" "$2"
    printf 'basicConstraints = CA:FALSE\nsubjectKeyIdentifier = hash\n' >extensions
    printf 'authorityKeyIdentifier = keyid\nsubjectAltName = DNS:%s\n' "$2" >>extensions
    dated "$1" "$2" "$3" "${4:-20200101000000Z}" "${5:-21200101000000Z}"
}

PAST='20200101000000Z 20200201000000Z'
authority middle 'Test intermediate' ca
authority lower 'Test lower' middle
gateway deep gw.example middle
gateway deeper gw.example lower
gateway peer-deep peer.example middle
gateway expired gw.example ca $PAST
gateway peer-expired peer.example ca $PAST
gateway early gw.example ca 21000101000000Z 21200101000000Z
cp middle.key middle-expired.key
authority middle-expired 'Test intermediate' ca $PAST
openssl ecparam -name prime256v1 -genkey -noout -out other-ca.key
openssl req -x509 -key other-ca.key -days 2 -subj '/CN=Other CA' -out other-ca.pem
# Chains in which the gateways, the intermediate CA and the root have RSA keys.
openssl genrsa -out rsa-ca.key 2048
openssl req -x509 -key rsa-ca.key -days 9000 -subj '/CN=RSA CA' -out rsa-ca.pem
openssl genrsa -out rsa-middle.key 2048
authority rsa-middle 'RSA intermediate' rsa-ca
for name in rsa-deep/gw.example rsa-peer-deep/peer.example; do
    openssl genrsa -out "${name%/*}.key" 2048
    gateway "${name%/*}" "${name#*/}" rsa-middle
done
rm request extensions
