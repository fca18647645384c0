// Command testreport reads the output of go test -json. It prints a line for each package at its
// end and the output of failed tests; at the end it prints the slowest packages and tests, and the
// reasons of failures:
//
//	go test -json ./... | go run ./testreport [-show REGEXP]
//
// With -show it also prints the log of passed tests whose names match REGEXP.
//
// The exit code is 1 if a test failed. ./test uses this command.
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
