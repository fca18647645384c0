package mail

import (
	"reflect"
	"testing"
)

// A packed row keeps every field of Message: a new field must get a tag.
func TestRowKeepsEveryField(t *testing.T) {
	var m Message
	v := reflect.ValueOf(&m).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Int64:
			f.SetInt(1<<40 + int64(i))
		case reflect.String:
			f.SetString("text \xff " + v.Type().Field(i).Name)
		case reflect.Array: // ID
			m.ID = MessageID{15: 7}
		default:
			t.Fatalf("field %s has the kind %v, which this test cannot fill", v.Type().Field(i).Name, f.Kind())
		}
	}
	got, err := ParseRow(m.ID, m.AppendRow(nil))
	if err != nil || got != m {
		t.Errorf("got %+v, %v; want %+v", got, err, m)
	}
}

func TestParseRow(t *testing.T) {
	id := MessageID{1}
	if b := (Message{ID: id}).AppendRow(nil); len(b) != 0 {
		t.Errorf("an empty row takes %d octets", len(b))
	}
	packed := (Message{Size: 300, Recipient: "a@b.c"}).AppendRow(nil)
	later := append([]byte{200, 2, 'x', 'y'}, packed...)
	if m, err := ParseRow(id, later); err != nil || m != (Message{ID: id, Size: 300, Recipient: "a@b.c"}) {
		t.Errorf("with a field of a later version: %+v, %v", m, err)
	}
	for n := 1; n < len(packed); n++ {
		if m, err := ParseRow(id, packed[:n]); err == nil && m.Recipient != "" {
			t.Errorf("cut to %d octets: %+v", n, m)
		}
	}
}

func FuzzParseRow(f *testing.F) {
	f.Add((Message{Size: 300, Recipient: "a@b.c", UIDL: "u", Origin: "dc1"}).AppendRow(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseRow(MessageID{1}, b)
		if err != nil {
			return
		}
		if again, err := ParseRow(m.ID, m.AppendRow(nil)); err != nil || again != m {
			t.Errorf("%q: %+v, again %+v, %v", b, m, again, err)
		}
	})
}
