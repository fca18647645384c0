package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"popelago/bench"
)

// Bench runs "popelago bench" and returns its report. It fails if the run had any error; a finished
// run returns the report even then. binary is the program, args are the arguments behind "bench".
func Bench(ctx context.Context, binary string, args ...string) (r bench.Report, err error) {
	// Writes the page cache now, so that no server pays for the writes of another.
	syscall.Sync()
	args = append([]string{"bench"}, args...)
	cmd := exec.CommandContext(ctx, binary, append(args, "--json")...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if perr := json.Unmarshal(out, &r); err == nil {
		err = perr
	}
	if err != nil {
		err = fmt.Errorf("popelago %s: %w\n%s%s", strings.Join(args, " "), err, out, said.Bytes())
	}
	return r, err
}
