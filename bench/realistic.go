package bench

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
)

// mailKind is the kind of a realistic message.
type mailKind int

const (
	// letter is a text from a person, with a quoted part.
	letter mailKind = iota
	// newsletter has a short text and HTML in quoted-printable.
	newsletter
	// attachment has a short text and a compressed file in base64.
	attachment
	// notice is a text of a program, with rows of a table.
	notice
)

// mailKinds lists the kinds with their shares of all messages, and the ranges of their sizes in octets.
// Sizes are spread evenly by their logarithms.
var mailKinds = []struct {
	kind     mailKind
	share    float64
	from, to float64
}{
	{letter, 0.50, 3000, 12_000},
	{newsletter, 0.35, 8_000, 90_000},
	{attachment, 0.10, 60_000, 600_000},
	{notice, 0.05, 3000, 6_000},
}

// realisticSize returns the size of realistic message number n without a size of its own.
func realisticSize(seed uint64, n int64) int {
	rng := rand.New(rand.NewPCG(seed, uint64(n)*2+1))
	k := mailKinds[kindOf(rng)]
	return int(k.from * math.Pow(k.to/k.from, rng.Float64()))
}

// kindOf draws an index of mailKinds.
func kindOf(rng *rand.Rand) int {
	x := rng.Float64()
	for i, k := range mailKinds {
		if x -= k.share; x < 0 {
			return i
		}
	}
	return 0
}

// kind returns the kind of a realistic message. A message with a size that its kind never has gets another
// kind.
func (t token) kind() mailKind {
	i := kindOf(rand.New(rand.NewPCG(t.seed, uint64(t.number)*2+1)))
	size := float64(t.size)
	if k := mailKinds[i]; size >= k.from && size <= k.to {
		return k.kind
	}
	switch {
	case size < mailKinds[newsletter].from:
		return letter
	case size < mailKinds[attachment].from:
		return newsletter
	}
	return attachment
}

// material holds ready-made lines of each kind for a seed. Copying lines costs less than making them.
type material struct {
	text, html, rows, base64 [][]byte
}

// materialLines is the count of lines of each kind: more than the longest message of its kind has, because
// a text that repeats itself compresses better than mail.
const materialLines = 8192

var materials sync.Map

func materialOf(seed uint64) *material {
	if m, ok := materials.Load(seed); ok {
		return m.(*material)
	}
	w := newWriterOfLines(seed)
	m := &material{}
	for range materialLines {
		m.text = append(m.text, w.textLine())
	}
	for len(m.html) < materialLines {
		m.html = w.htmlBlock(m.html)
	}
	for range materialLines {
		m.rows = append(m.rows, w.row())
		m.base64 = append(m.base64, append(w.random(nil, 76), "\r\n"...))
	}
	actual, _ := materials.LoadOrStore(seed, m)
	return actual.(*material)
}

// writerOfLines makes lines of text. Words come as often as in a language: the word of rank r with a
// probability of about 1/r, and rare words, names and numbers in between.
type writerOfLines struct {
	rng *rand.Rand
	cdf []float64
}

func newWriterOfLines(seed uint64) *writerOfLines {
	w := &writerOfLines{rng: rand.New(rand.NewPCG(seed, 1<<63))}
	sum := 0.0
	for r := range words {
		sum += 1 / (float64(r) + 2.7)
		w.cdf = append(w.cdf, sum)
	}
	return w
}

// syllables of rare words and names.
var syllables = strings.Fields("an ber con dor el fin gar hol in ja kor lin mar nos ol per qua ren sta ter un ven wal xi yor zen ach burg dal heim son ström tal ville wick")

// word appends one word.
func (w *writerOfLines) word(b []byte) []byte {
	switch x := w.rng.Float64(); {
	case x < 0.02:
		return strconv.AppendInt(b, w.rng.Int64N(100_000), 10)
	case x < 0.09: // rare
		for range 2 + w.rng.IntN(3) {
			b = append(b, strings.ReplaceAll(syllables[w.rng.IntN(len(syllables))], "ö", "oe")...)
		}
		return b
	}
	x := w.rng.Float64() * w.cdf[len(w.cdf)-1]
	lo, hi := 0, len(w.cdf)-1
	for lo < hi {
		if mid := (lo + hi) / 2; w.cdf[mid] < x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return append(b, words[lo]...)
}

// phrase appends about n octets of words.
func (w *writerOfLines) phrase(b []byte, n int) []byte {
	for start := len(b); len(b)-start < n; {
		b = w.word(b)
		switch x := w.rng.Float64(); {
		case x < 0.06:
			b = append(b, ',')
		case x < 0.12:
			b = append(b, '.')
		}
		b = append(b, ' ')
	}
	return b[:len(b)-1]
}

// textLine returns a line of a letter. It never begins with a dot.
func (w *writerOfLines) textLine() []byte {
	if w.rng.IntN(9) == 0 {
		return []byte("\r\n")
	}
	return append(w.phrase(nil, 40+w.rng.IntN(28)), "\r\n"...)
}

// random appends n letters and digits at random, as in addresses of links.
func (w *writerOfLines) random(b []byte, n int) []byte { return appendRandom(b, w.rng, n) }

func appendRandom(b []byte, rng *rand.Rand, n int) []byte {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for range n {
		b = append(b, letters[rng.Uint64()&63])
	}
	return b
}

// htmlBlock appends the lines of one article of a newsletter.
func (w *writerOfLines) htmlBlock(lines [][]byte) [][]byte {
	n := strconv.Itoa(w.rng.IntN(1000))
	link := "https://click.news.example.com/t/" + string(w.random(nil, 40))
	html := `<tr><td align="center" valign="top" style="padding:0 24px 16px 24px;font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:22px;color:#333333;">` +
		`<a href="` + link + `" target="_blank" style="color:#0a66c2;text-decoration:none;"><img src="https://img.news.example.com/` + n + `/` + string(w.random(nil, 12)) + `.jpg" width="600" alt="` + string(w.phrase(nil, 20)) + `" style="display:block;border:0;max-width:100%;height:auto;"></a></td></tr>` +
		`<tr><td style="padding:0 24px 8px 24px;font-family:Arial,Helvetica,sans-serif;font-size:20px;line-height:26px;font-weight:bold;color:#111111;">` + string(w.phrase(nil, 30)) + `</td></tr>` +
		`<tr><td style="padding:0 24px 24px 24px;font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:22px;color:#333333;">` + string(w.phrase(nil, 150+w.rng.IntN(300))) +
		` <a href="` + link + `" style="color:#0a66c2;">` + string(w.phrase(nil, 10)) + `</a></td></tr>`
	// Quoted-printable (RFC 2045 section 6.7): "=" is coded, lines are cut softly.
	for coded := strings.ReplaceAll(html, "=", "=3D"); coded != ""; {
		n := min(len(coded), 75)
		if n < len(coded) {
			if i := strings.LastIndexByte(coded[n-2:n], '='); i >= 0 { // not within "=3D"
				n += i - 2
			}
		}
		line := coded[:n]
		if coded = coded[n:]; coded != "" {
			line += "="
		}
		if line[0] == '.' {
			line = "=2E" + line[1:]
		}
		lines = append(lines, []byte(line+"\r\n"))
	}
	return lines
}

// row returns a row of a table in a notice.
func (w *writerOfLines) row() []byte {
	b := append([]byte("2026-11-"), '0'+byte(w.rng.IntN(3)), '0'+byte(w.rng.IntN(10)), ';')
	b = strconv.AppendInt(b, 4_000_000+w.rng.Int64N(100_000), 10)
	b = append(b, ';')
	b = w.phrase(b, 12)
	b = append(b, ';')
	b = strconv.AppendInt(b, w.rng.Int64N(2000), 10)
	b = append(b, ',', '0'+byte(w.rng.IntN(10)))
	return append(b, "0;EUR;open\r\n"...)
}

// appendRealistic appends the realistic message of t: t.size octets with CRLF line ends.
func appendRealistic(b []byte, t token) []byte {
	start := len(b)
	end := start + t.size
	rng := rand.New(rand.NewPCG(t.seed, uint64(t.number)*2))
	m := materialOf(t.seed)
	kind := t.kind()
	b = append(b, tokenHeader...)
	b = t.appendTo(b)
	b = append(b, "\r\n"...)
	b = appendRealisticHeader(b, t, rng, m)
	boundary := "----=_Part_" + t.String()
	tail := "\r\n--" + boundary + "--\r\n"
	part := func(head string) {
		b = append(b, "--"+boundary+"\r\n"+head+"\r\n"...)
	}
	lines := func(pool [][]byte, prefix string, until int) {
		for i := rng.IntN(len(pool)); len(b) < until; i = (i + 1) % len(pool) {
			b = append(b, prefix...)
			b = append(b, pool[i]...)
		}
	}
	const textPart = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
	switch kind {
	case letter:
		tail = ""
		b = append(b, "MIME-Version: 1.0\r\n"+textPart+"\r\n"...)
		lines(m.text, "", len(b)+(end-len(b))*3/5)
		b = append(b, "\r\nOn Mon, 2 Nov 2026 at 09:14, Bench <bench@example.test> wrote:\r\n"...)
		lines(m.text, "> ", end)
	case notice:
		tail = ""
		b = append(b, "MIME-Version: 1.0\r\n"+textPart+"\r\n"...)
		lines(m.rows, "", end)
	case newsletter:
		b = append(b, "MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n\tboundary=\""+boundary+"\"\r\nList-Unsubscribe: <https://click.news.example.com/u/"...)
		b = appendRandom(b, rng, 40)
		b = append(b, ">\r\nPrecedence: bulk\r\n\r\n"...)
		part(textPart)
		lines(m.text, "", len(b)+(end-len(b))/10)
		b = append(b, "\r\n"...)
		part("Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n")
		lines(m.html, "", end-len(tail))
	case attachment:
		b = append(b, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary=\""+boundary+"\"\r\n\r\n"...)
		part(textPart)
		lines(m.text, "", len(b)+min(1500, (end-len(b))/4))
		b = append(b, "\r\n"...)
		part("Content-Type: application/pdf; name=\"invoice.pdf\"\r\nContent-Disposition: attachment; filename=\"invoice.pdf\"\r\nContent-Transfer-Encoding: base64\r\n")
		lines(m.base64, "", end-len(tail))
	}
	b = append(cutTo(b, max(start, end-len(tail))), tail...)
	return cutTo(b, end)
}

// cutTo cuts a text with CRLF line ends to n octets. The last line may come out short, or lose only its line
// end.
func cutTo(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	b = b[:n]
	b[n-2], b[n-1] = '\r', '\n'
	if b[n-3] == '\r' { // a bare CR must not come out of the cut
		b[n-3] = '='
	}
	return b
}

// appendRealisticHeader appends the fields that most mail has, trace and signature included.
func appendRealisticHeader(b []byte, t token, rng *rand.Rand, m *material) []byte {
	octet := func() { b = strconv.AppendInt(b, rng.Int64N(256), 10) }
	for hop := range 2 + rng.IntN(2) {
		b = append(b, "Received: from mail-"...)
		b = appendRandom(b, rng, 6)
		b = append(b, ".out.example.com (mail-out.example.com [203.0."...)
		octet()
		b = append(b, '.')
		octet()
		b = append(b, "])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\r\n\t(No client certificate requested)\r\n\tby mx"...)
		b = strconv.AppendInt(b, int64(hop), 10)
		b = append(b, ".example.test (Postfix) with ESMTPS id "...)
		b = appendRandom(b, rng, 12)
		b = append(b, "\r\n\tfor <user@example.test>; Mon,  2 Nov 2026 10:"...)
		b = append(b, '0'+byte(rng.IntN(6)), '0'+byte(rng.IntN(10)), ':', '0'+byte(rng.IntN(6)), '0'+byte(rng.IntN(10)))
		b = append(b, " +0000 (UTC)\r\n"...)
	}
	b = append(b, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s2026;\r\n\th=from:to:subject:date:message-id:mime-version:content-type;\r\n\tbh="...)
	b = appendRandom(b, rng, 43)
	b = append(b, "=;\r\n\tb="...)
	for range 5 {
		b = appendRandom(b, rng, 68)
		b = append(b, "\r\n\t "...)
	}
	b = append(b, "==\r\nAuthentication-Results: mx.example.test; dkim=pass header.d=example.com; spf=pass smtp.mailfrom=example.com; dmarc=pass\r\nFrom: Bench <bench@example.test>\r\nTo: undisclosed-recipients:;\r\nSubject: "...)
	b = append(b, bytes.TrimSuffix(m.text[rng.IntN(len(m.text))], []byte("\r\n"))...)
	b = append(b, "\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\nMessage-ID: <"...)
	b = t.appendTo(b)
	b = append(b, "@bench.example.test>\r\nX-Mailer: Example Mail 16.0\r\n"...)
	return b
}
