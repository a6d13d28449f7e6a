# Make a CA and certificates for the ends a and b in the current directory, /root/pki of a host.
# The certificate `plain` has no URL of a CRL. `listed` and `revoked` have the URL in $CRL.
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
        # The next certificate may have the same subject.
        echo "unique_subject = no" >index.attr
    done
    openssl ca -config ca.conf -revoke "$end-revoked.pem"
done
openssl ca -config ca.conf -gencrl -out crl.pem
openssl crl -in crl.pem -outform DER -out ca.crl
