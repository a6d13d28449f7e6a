# Make a CA and certificates of both gateways in the current directory: with RSA keys in `rsa`, with
# ECDSA keys in `ecdsa`. Each kind has its own subjects, because NSS has one nickname for a subject.

make() {
    folder=$1 name=$2
    openssl req $3 -noenc -subj "/O=$folder/CN=$name" -keyout "$folder/$name.key" -out "$folder/request"
    printf 'subjectAltName = DNS:%s\n' "$name" >"$folder/extensions"
    openssl x509 -req -days 2 -in "$folder/request" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" \
        -extfile "$folder/extensions" -out "$folder/$name.pem"
}

for kind in rsa ecdsa; do
    mkdir $kind
    case $kind in
        rsa) new='-newkey rsa:2048' ;;
        ecdsa) new='-newkey ec -pkeyopt ec_paramgen_curve:P-256' ;;
    esac
    openssl req -x509 $new -noenc -keyout $kind/ca.key -days 2 -subj "/CN=VPN CA $kind" -out $kind/ca.pem
    make $kind gw.example "$new"
    make $kind peer.example "$new"
done
