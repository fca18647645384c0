package mailtest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// leakLimit is the time within which the goroutines of finished tests must end.
const leakLimit = time.Minute

// Main runs the tests of a package and returns the exit code: of a failure also if the tests leave a goroutine behind.
func Main(m *testing.M) (code int) {
	if code = m.Run(); code != 0 {
		return code
	}
	for end := time.Now().Add(leakLimit); ; {
		err := goleak.Find() // looks for half a second
		if err == nil {
			return 0
		}
		if time.Now().After(end) {
			fmt.Fprintf(os.Stderr, "%v after the tests: %v\n", leakLimit, err)
			return 1
		}
	}
}
