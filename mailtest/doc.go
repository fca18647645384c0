// Package mailtest helps to test the line protocols: transcripts of sessions, a scripted client,
// certificates, a corpus of awkward messages, a readable log, waiting for a condition, and a look for
// goroutines left behind. Only tests import the package.
//
// # Transcripts
//
// A transcript is a text file, run by RunTranscripts as one subtest on one connection:
//
//	# Why this session is worth keeping.
//	# option messages=3
//	S: +OK ready
//	C: STAT
//	S: /^\+OK 3 [0-9]+$/
//	C- NOOP\r\nNOOP\r\n
//	S: +OK
//	S: +OK
//	TLS
//	EOF
//
//	# text            a comment; the first comment says why the file exists
//	# option key=val  passed to the function that opens the connection
//	C: text           send text and CRLF
//	C- text           send text after resolving \r \n \t \\ and \xNN; no line end
//	S: text           the next line from the server, which must end in CRLF
//	S: /regexp/       a pattern for the next line from the server
//	TLS               do a TLS handshake as the client
//	CLOSE             close the connection
//	EOF               the server closes the connection
//
// Octets of server lines that are not printable are written as \xNN. Lines are sent without waiting
// for answers, so several C lines in a row are pipelined.
//
// go test -rewrite replaces the S lines by the present answers of the server; a regexp that still
// matches is kept. Review the difference before committing.
package mailtest
