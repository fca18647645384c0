package embedded

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"

	"popelago/mail"
	"popelago/store"
	"popelago/store/codec"
)

// FuzzRows feeds arbitrary octets to every decoder of keys and values. No decoder panics, and an accepted
// value stays the same after encoding and decoding.
func FuzzRows(f *testing.F) {
	id := mail.NewIDSource(nil).Next()
	mb := mail.MailboxID{1, 2, 3}
	f.Add(encodeMessage(mail.Message{ID: id, Size: 5, Recipient: "a@b", UIDL: "u", Origin: "dc"}))
	f.Add(encodeMessage(mail.Message{ID: id, Size: 5, Recipient: "a@b", Original: "c@d"}))
	f.Add(contentRow{info: store.ContentInfo{Size: 3, ReversePath: "x", Mailboxes: []mail.MailboxID{mb}}, kind: kindInline, data: []byte("abc")}.encode())
	f.Add(contentRow{info: store.ContentInfo{Size: 99999}, kind: kindFile, nonce: [8]byte{1}}.encode())
	f.Add(contentRow{info: store.ContentInfo{Size: 30}, kind: kindInline, codec: codec.Zstd, data: []byte("abc")}.encode())
	f.Add(contentRow{info: store.ContentInfo{Size: 99999}, kind: kindFile, codec: codec.Zstd, nonce: [8]byte{1}, length: 777}.encode())
	f.Add(encodeTrash(mb, []mail.MessageID{id, {}}))
	f.Add(encodeMoment(-5))
	f.Add(addressColumn{address: mail.Address{Local: "a\x00", Domain: "b"}, generation: id, column: columnKind}.key())
	f.Add(addressColumn{address: mail.Address{Local: "a", Domain: "b"}, column: columnTarget, element: "c@d"}.key())
	f.Add(trashKey(prefixTrash, -1, 7))
	f.Add([]byte("popelago embedded store, format 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := decodeMessage(b, id, ""); err == nil {
			if again, err := decodeMessage(encodeMessage(m), id, m.Recipient); err != nil || again != m {
				t.Errorf("message %+v: %+v, %v", m, again, err)
			}
		}
		if r, err := decodeContent(b); err == nil {
			if again, err := decodeContent(r.encode()); err != nil || !reflect.DeepEqual(again, r) {
				t.Errorf("content %+v: %+v, %v", r, again, err)
			}
		}
		if mb, ids, err := decodeTrash(b); err == nil {
			mb2, again, err := decodeTrash(encodeTrash(mb, ids))
			if err != nil || mb2 != mb || len(again) != len(ids) {
				t.Errorf("trash: %v", err)
			}
		}
		if v, err := decodeMoment(b); err == nil && !bytes.Equal(encodeMoment(v), b) {
			t.Errorf("moment %d", v)
		}
		if c, err := parseAddressKey(b); err == nil {
			if again, err := parseAddressKey(c.key()); err != nil || again != c {
				t.Errorf("address %+v: %+v, %v", c, again, err)
			}
		}
		if at, seq, err := parseTrashKey(b); err == nil && !bytes.Equal(trashKey(b[0], at, seq), b) {
			t.Errorf("trash key %x", b)
		}
		for _, column := range []byte("bcgkoprst?") {
			var row store.Address
			_ = setColumn(&row, column, "a@b", b)
			_ = setColumn(&row, column, string(b), nil)
		}
		_, _ = parseFormat("FORMAT", string(b))
		_, _, _ = fileID(string(b))
		_ = damagedAt(b)
	})
}

// FuzzBlocks reads arbitrary octets as a content file. The result must be the original data or errBadRow.
func FuzzBlocks(f *testing.F) {
	nonce := [8]byte{1, 2, 3}
	data := bytes.Repeat([]byte("0123456789"), 14_000)
	whole := encodeFile(nonce, data)
	f.Add(whole, int64(len(data)))
	f.Add(whole[:70_000], int64(len(data)))
	f.Add(whole, int64(len(data)-1))
	f.Add(encodeFile(nonce, data[:5]), int64(5))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		if size <= 0 {
			return
		}
		r := &blockReader{src: bytes.NewReader(b), nonce: nonce, left: size, buf: new(blockBuffer)}
		err := r.start()
		var got []byte
		if err == nil {
			got, err = io.ReadAll(r)
		}
		if err != nil && !errors.Is(err, errBadRow) {
			t.Fatalf("error %v, want %v", err, errBadRow)
		}
		if err == nil && int64(len(got)) != size {
			t.Fatalf("%d octets and no error, want %d", len(got), size)
		}
	})
}

// FuzzCodedBlocks reads arbitrary octets as the file of a compressed content.
func FuzzCodedBlocks(f *testing.F) {
	nonce := [8]byte{1, 2, 3}
	data := bytes.Repeat([]byte("0123456789"), 14_000)
	coder, err := codec.New(codec.MethodZstd)
	if err != nil {
		f.Fatal(err)
	}
	whole := encodeCodedFile(coder, nonce, data)
	f.Add(whole, int64(len(data)))
	f.Add(whole[:40], int64(len(data)))
	f.Add(whole, int64(len(data)-1))
	f.Add(encodeCodedFile(coder, nonce, data[:5]), int64(5))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		if size <= 0 {
			return
		}
		r := &blockReader{
			src: bytes.NewReader(b), nonce: nonce, left: size, buf: new(blockBuffer),
			codec: codec.Zstd, coder: coder, coded: new(codedBuffer),
		}
		err := r.start()
		var got []byte
		if err == nil {
			got, err = io.ReadAll(r)
		}
		if err != nil && !errors.Is(err, errBadRow) {
			t.Fatalf("error %v, want %v", err, errBadRow)
		}
		if err == nil && int64(len(got)) != size {
			t.Fatalf("%d octets and no error, want %d", len(got), size)
		}
	})
}

// encodeCodedFile returns the file of a compressed content.
func encodeCodedFile(coder *codec.Coder, nonce [8]byte, data []byte) []byte {
	h := encodeFileHeader(codec.Zstd, nonce)
	b := append([]byte(nil), h[:]...)
	var buf codedBuffer
	for n := int64(0); len(data) > 0; n++ {
		chunk := data[:min(len(data), blockPayload)]
		data = data[len(chunk):]
		form := coder.Next(codec.Zstd, nil, chunk)
		if len(form) == 0 {
			form = chunk
		}
		b = append(b, sealCodedBlock(&buf, form, nonce, n)...)
	}
	return b
}

// encodeFile returns the file of a content.
func encodeFile(nonce [8]byte, data []byte) []byte {
	h := encodeFileHeader(codec.Raw, nonce)
	b := append([]byte(nil), h[:]...)
	var buf blockBuffer
	for n := int64(0); len(data) > 0; n++ {
		size := copy(buf[blockPrefix:], data)
		data = data[size:]
		b = append(b, sealBlock(&buf, size, nonce, n)...)
	}
	return b
}
