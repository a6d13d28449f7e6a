# Certificates for `authentication: pubkey`, in the current directory: a CA and its renewed
# certificate, the peer, and two of the device. The second replaces the first. None expires soon.

make_ca() {
    openssl req -x509 -key ca.key -days 800 -subj '/CN=Test CA' -out "$1"
}

make() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=$2" \
        -keyout "$1.key" -out request
    echo "subjectAltName = DNS:$2" >extensions
    openssl x509 -req -days 400 -in request -CA ca.pem -CAkey ca.key -extfile extensions \
        -out "$1.pem"
    rm request extensions
}

openssl ecparam -name prime256v1 -genkey -noout -out ca.key
make_ca ca.pem
make_ca ca-renewed.pem
make peer peer.example
make first gw.example
make second gw.example
