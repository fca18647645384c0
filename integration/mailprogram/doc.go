// Package mailprogram drives real mail programs that fetch mail, for tests of several packages: fetchmail
// and Thunderbird. The programs must be installed, see servertest.NeedProgram. Only tests use the package.
package mailprogram
