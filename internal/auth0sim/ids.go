package auth0sim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

const (
	base62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
)

// drawer makes what a server makes up. A draw depends on the seed and the number of
// draws before it; the number is kept with the state, so that a restarted tenant
// does not hand out an id twice.
type drawer struct {
	seed  int64
	drawn uint64
}

func (d *drawer) bytes(n int) []byte {
	var out []byte
	for i := uint64(0); len(out) < n; i++ {
		var in [24]byte
		binary.BigEndian.PutUint64(in[:], uint64(d.seed)) //nolint:gosec // any bits will do
		binary.BigEndian.PutUint64(in[8:], d.drawn)
		binary.BigEndian.PutUint64(in[16:], i)
		sum := sha256.Sum256(in[:])
		out = append(out, sum[:]...)
	}
	d.drawn++
	return out[:n]
}

func (d *drawer) letters(alphabet string, n int) string {
	b := d.bytes(n)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// The shapes of ids are facts §3.0 "IDs".

func (d *drawer) alnum(n int) string { return d.letters(base62, n) }
func (d *drawer) short(n int) string { return d.letters(base58, n) }
func (d *drawer) hex24() string      { return hex.EncodeToString(d.bytes(12)) }

func (d *drawer) uuid() string {
	b := d.bytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
