package bench

import "strings"

// words are words of English and German, the frequent ones first.
var words = strings.Fields(`
the to of and you a in is for die der und we it on that this with your be have are as will not or please
at from can our I zu das ist wir Sie if by an mit auf für all an nicht any but would by has what more was
new which there they up so me my do one out about time order ein eine im den von es ich des bitte wenn
thank dear regards best Mr Mrs Ms message mail account number invoice payment date today tomorrow week
meeting monday tuesday wednesday thursday friday help need send sent received attached file document
report question answer information service customer product delivery address phone office team project
work just like also some how then now see know good get make take come back over only into than other
could should when where who because after before between through until during without again still may
might must shall here very much many most such even well both each few own same too those these their
them his her she him us its been being did does had having were am off down under further once nicht
auch noch nach bei aus wie oder aber nur über dass kann werden wird haben hat sind war sein sich mehr
Ihre Ihr Ihnen uns unsere unser bis zum zur vom als am um durch gegen ohne unter vor zwischen alle alles
schon sehr hier dort heute morgen gestern Woche Termin Rechnung Zahlung Bestellung Lieferung Kunde Frage
Antwort Anhang Datei Nachricht Vertrag Angebot Konto Nummer Adresse Telefon Grüße freundlichen geehrte
Herr Frau danke vielen Dank gerne leider möglich bereits folgende weitere neue erste letzte beste ganz
price offer discount free shipping click unsubscribe privacy policy terms view browser online shop store
sale season collection size color quality available stock limited join newsletter member points save
total amount tax subtotal quantity item items status confirm confirmation reference code valid expires
security password login reset change update version release issue fix error server system network backup
support ticket request response problem solution check test review approve plan budget schedule deadline
contract agreement legal company department manager director chief people family friend home travel
flight hotel booking reservation ticket train car drive weather photo picture video music book story
school course student teacher class learn study research data result analysis model sample patient
laboratory value unit normal range blood pressure doctor hospital treatment insurance health care
january february march april may june july august september october november december morning evening
night year month day hour minute second left right first last next previous open close start end begin
finish continue stop move stay leave arrive return keep hold bring give show tell ask think feel find
look seem become believe consider decide expect hope include increase reduce improve develop provide
offer receive accept refuse agree discuss explain describe suggest recommend require allow enable build
create design write read speak listen understand remember forget learn teach buy sell pay cost spend
market business trade bank credit card cash account balance transfer fee rate interest share fund loan
important urgent different special general public private local national international possible ready
sure certain clear simple easy hard difficult large small big little long short high low early late young
old full empty strong weak hot cold warm dark light black white red green blue yellow brown grey happy
sorry afraid glad proud angry busy tired wrong true real whole half double single several enough less
least almost always never often sometimes usually already yet soon later ago maybe perhaps probably
really quite rather however therefore although though while since unless whether either neither else
instead together apart around across along behind beside beyond above below inside outside near far
`)
