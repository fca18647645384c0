// Package mailtest is help for tests of the line protocols: sessions written down as text
// files, a scripted client, certificates, a corpus of awkward messages, a log to read in, and
// waiting for a condition. Only tests import it.
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
//	# text            a comment; the first one says why the file exists
//	# option key=val  handed to the function that opens the connection
//	C: text           send text and CRLF
//	C- text           send text as it is, after resolving \r \n \t \\ and \xNN; no line end
//	S: text           the next line from the server, which must end in CRLF
//	S: /regexp/       the same, to be matched
//	TLS               do a TLS handshake as the client
//	CLOSE             close the connection
//	EOF               the server closes the connection
//
// Octets in server lines that are no printable text stand as \xNN. Lines are sent without
// waiting for answers, so several C lines in a row are pipelined.
//
// go test -rewrite writes what the server really says into the S lines; a regexp that still
// matches is kept. Review the difference before committing it.
package mailtest
