// Command testreport reads what go test -json prints. It shows a line for each package as it ends,
// the output of tests that failed, and in the end which packages and tests took long and why tests
// failed:
//
//	go test -json ./... | go run ./testreport
//
// It ends with exit code 1 if anything failed. ./test uses it.
package main

import (
	"fmt"
	"os"
)

func main() {
	r := newReport(os.Stdout)
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	r.slowest()
	r.whyFailed()
	if r.failed {
		os.Exit(1)
	}
}
