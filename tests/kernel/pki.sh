# Certificates in /root/pki of the host that it runs on: a CA; for a and b each one that names no
# place to fetch a CRL from, one that does, and one that is revoked. In: CRL, the URL.
umask 077
cat >ca.conf <<END
[ca]
default_ca = own
[own]
database = index
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
copy_extensions = copy
[any]
commonName = supplied
END
: >index
echo 1000 >serial
new() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }
new ca
openssl req -x509 -new -key ca.key -days 30 -subj "/CN=CA of the tests" -out ca.pem \
    -addext keyUsage=critical,keyCertSign,cRLSign
for end in a b; do
    for kind in plain listed revoked; do
        name=$end-$kind
        new "$name"
        place=
        [ $kind = plain ] || place="crlDistributionPoints=URI:$CRL"
        openssl req -new -key "$name.key" -subj "/CN=$end.example" -out "$name.csr" \
            -addext "subjectAltName=DNS:$end.example" ${place:+-addext "$place"}
        openssl ca -batch -config ca.conf -in "$name.csr" -out "$name.pem" -notext
        # The next one may have the same subject.
        echo "unique_subject = no" >index.attr
    done
    openssl ca -config ca.conf -revoke "$end-revoked.pem"
done
openssl ca -config ca.conf -gencrl -out crl.pem
openssl crl -in crl.pem -outform DER -out ca.crl
