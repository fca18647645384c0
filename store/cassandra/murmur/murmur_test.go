package murmur

import "testing"

// Tokens as nodes of Cassandra tell them. TestTruth in simulation/cluster and TestKeysAreTheStored in
// store/cassandra ask real nodes for more.
func TestToken(t *testing.T) {
	for key, want := range map[string]int64{
		"": 0, "\x01": 8849112093580131862, "a": -8839064797231613815, "abc": -5434086359492102041, "ä": -9125847998514662820,
		"0123456789abcdef": 5467490433528156583, "0123456789abcdefghü": 5175919696169578283,
	} {
		if got := Token([]byte(key)); got != want {
			t.Errorf("token of %q: %d, want %d", key, got, want)
		}
	}
}
