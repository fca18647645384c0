// Command testreport reads what go test -json prints. It shows a line for each package as it ends,
// the output of tests that failed, and in the end which packages and tests took long and why tests
// failed:
//
//	go test -json ./... | go run ./testreport [-show REGEXP]
//
// With -show it also lists what tests logged that passed and whose names match REGEXP.
//
// It ends with exit code 1 if anything failed. ./test uses it.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
)

func main() {
	r := newReport(os.Stdout)
	flag.Func("show", "list what tests logged that passed and whose names match this `REGEXP`", func(s string) (err error) {
		r.show, err = regexp.Compile(s)
		return err
	})
	flag.Parse()
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	r.slowest()
	r.conclude()
	if r.failed {
		os.Exit(1)
	}
}
