#include "tools/repl/line_editor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cwchar>
#include <stdexcept>

#include "tools/repl/input_text.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

constexpr const char* kPasteBegins = "\x1b[?2004h";  // the terminal marks pasted text
constexpr const char* kPasteEnds = "\x1b[?2004l";
constexpr const char* kEraseFromLine = "\r\x1b[J";  // to the end of the screen
constexpr std::u32string_view kEndOfPaste = U"\x1b[201~";
// No key sends this. It is bound to libedit's own end of editing, which alone leaves the terminal's
// cursor below a text of several lines.
constexpr const wchar_t* kEndEditing = L"\033[leyden";
constexpr int kHistorySize = 1000;

std::string to_text(const wchar_t* begin, const wchar_t* end) {
  std::string text;
  for (const wchar_t* c = begin; c != end; ++c) text += to_utf8(static_cast<char32_t>(*c));
  return text;
}

std::wstring to_wide(std::string_view text) {
  std::wstring wide;
  std::mbstate_t state = {};
  while (!text.empty()) {
    wchar_t c = 0;
    const std::size_t n = std::mbrtowc(&c, text.data(), text.size(), &state);
    if (n == 0 || n > text.size()) break;
    wide.push_back(c);
    text.remove_prefix(n);
  }
  return wide;
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

/// Below what is edited, which then comes again.
unsigned char say(EditLine* editor, const std::string& text) {
  print(fmt::format("\n{}{}\n", kEraseFromLine, text));
  el_set(editor, EL_REFRESH);  // CC_REDISPLAY would clear as many rows above as the line has
  return CC_NORM;
}

}  // namespace

LineEditor::LineEditor(KeySource& keys, Signals& signals, std::string prompt, HistoryFile history,
                       Completer completer)
    : keys_(&keys),
      signals_(&signals),
      prompt_(std::move(prompt)),
      history_file_(std::move(history)),
      completer_(std::move(completer)),
      history_(history_init()),
      editor_(el_init("leyden", stdin, stdout, stderr)) {
  if (!history_ || !editor_) throw std::runtime_error("the line editor can't be started");
  HistEvent event;
  ::history(history_.get(), &event, H_SETSIZE, kHistorySize);
  EditLine* const editor = editor_.get();
  el_set(editor, EL_CLIENTDATA, this);
  el_set(editor, EL_PROMPT_ESC, &give_prompt, '\1');
  el_set(editor, EL_HIST, ::history, history_.get());
  el_set(editor, EL_EDITOR, "emacs");
  el_wset(editor, EL_GETCFN, &give_key);
  // With the terminal's ways to shift the rest of a row libedit draws rows of wide characters
  // wrongly.
  for (const char* const shifting : {"ic", "IC", "im", "ei", "dc", "DC"}) {
    el_set(editor, EL_SETTC, shifting, "", nullptr);
  }
  bind_keys();
  el_source(editor, nullptr);
  for (const std::string& entry : history_file_.load()) add_to_history(entry);
}

void LineEditor::bind_keys() {
  EditLine* const editor = editor_.get();
  // In wide characters: libedit's narrow form copies the texts and never frees them.
  const auto add = [editor](const wchar_t* name, const wchar_t* help,
                            unsigned char (*function)(EditLine*, int)) {
    el_wset(editor, EL_ADDFN, name, help, function);
  };
  add(L"leyden-enter", L"Send the text, or begin a new line", &on_enter);
  add(L"leyden-newline", L"Begin a new line", &on_newline);
  add(L"leyden-interrupt", L"Drop the text", &on_interrupt);
  add(L"leyden-paste", L"Insert pasted text", &on_paste);
  add(L"leyden-complete", L"Complete the word", &on_tab);
  // Ctrl-C is a key while a line is edited. Signals sent from elsewhere wake the key source.
  // Line breaks come as they are, or a pasted "\r\n" couldn't be told from two of them.
  el_set(editor, EL_SETTY, "-d", "intr=", "-icrnl", "-inlcr", nullptr);
  constexpr std::array<std::array<const char*, 2>, 21> kKeys = {{
      {"\033[leyden", "ed-newline"},  {"^M", "leyden-enter"},
      {"^J", "leyden-enter"},         {"\033^M", "leyden-newline"},  // Alt-Enter
      {"\033^J", "leyden-newline"},   {"^C", "leyden-interrupt"},
      {"\033[200~", "leyden-paste"},  {"^I", "leyden-complete"},
      {"^R", "em-inc-search-prev"},   {"^W", "ed-delete-prev-word"},
      {"\033[1;5C", "em-next-word"},  // Ctrl and an arrow
      {"\033[1;5D", "ed-prev-word"},  {"\033[H", "ed-move-to-beg"},
      {"\033[1~", "ed-move-to-beg"},  {"\033OH", "ed-move-to-beg"},
      {"\033[F", "ed-move-to-end"},   {"\033[4~", "ed-move-to-end"},
      {"\033OF", "ed-move-to-end"},   {"\033[3~", "ed-delete-next-char"},
      {"\033[5~", "ed-prev-history"}, {"\033[6~", "ed-next-history"},
  }};
  for (const auto& [key, function] : kKeys) el_set(editor, EL_BIND, key, function, nullptr);
}

Input LineEditor::read() {
  interrupted_ = had_text_ = false;
  print(kPasteBegins);
  int length = 0;
  const char* const line = el_gets(editor_.get(), &length);
  print(kPasteEnds);
  if (interrupted_) return {Input::Kind::kInterrupt, "", had_text_};
  if (line == nullptr) return {Input::Kind::kEnd, ""};
  std::string text(line, static_cast<std::size_t>(length));
  if (text.ends_with('\n')) text.pop_back();
  text = folds_.unfold(text);
  remember(text);
  return {Input::Kind::kText, without_quotes(text)};
}

void LineEditor::remember(const std::string& text) {
  if (text.find_first_not_of(" \t\n") == std::string::npos || text == last_) return;
  history_file_.append(text);
  add_to_history(text);
}

void LineEditor::add_to_history(const std::string& text) {
  last_ = text;
  HistEvent event;
  ::history(history_.get(), &event, H_ENTER, folds_.fold(visible(text)).c_str());
}

std::string LineEditor::text_before_cursor() const {
  const LineInfoW* const line = el_wline(editor_.get());
  return to_text(line->buffer, line->cursor);
}

LineEditor& LineEditor::self(EditLine* editor) {
  void* data = nullptr;
  el_get(editor, EL_CLIENTDATA, &data);
  return *static_cast<LineEditor*>(data);
}

char* LineEditor::give_prompt(EditLine* editor) { return self(editor).prompt_.data(); }

int LineEditor::give_key(EditLine* editor, wchar_t* key) {
  LineEditor& me = self(editor);
  while (true) {
    const KeySource::State state = me.keys_->wait();
    if (me.signals_->leaving() || state == KeySource::State::kEnd) return 0;
    if (state == KeySource::State::kReady) {
      const auto character = me.keys_->next();
      if (!character) return 0;
      *key = static_cast<wchar_t>(*character);
      return 1;
    }
    if (me.signals_->interrupted()) {
      me.signals_->clear_interrupt();
      *key = L'\x03';
      return 1;
    }
    if (me.signals_->take_redraw()) {
      // A shell that continues us has changed the terminal; libedit would take it for prepared.
      el_set(editor, EL_PREP_TERM, 0);
      el_set(editor, EL_PREP_TERM, 1);
      // el_resize() believes the cursor to stand on an empty line.
      print(std::string(kEraseFromLine) + kPasteBegins);
      el_resize(editor);
      el_set(editor, EL_REFRESH);
    }
  }
}

unsigned char LineEditor::on_enter(EditLine* editor, int) {
  const LineInfoW* const line = el_wline(editor);
  const std::string text = to_text(line->buffer, line->lastchar);
  const Unfinished why = unfinished(self(editor).folds_.unfold(text));
  if (why == Unfinished::kNo && self(editor).folds_.has_broken_note(text)) {
    return say(editor,
               "[the note of a pasted text isn't whole any more, so that nothing was sent: remove "
               "the rest of it, and paste again]");
  }
  if (why == Unfinished::kNo) {
    el_wpush(editor, kEndEditing);
    return CC_NORM;
  }
  el_cursor(editor, static_cast<int>(line->lastchar - line->cursor));
  // The backslash may be the last of a pasted text, of which the line shows a note only.
  if (why == Unfinished::kBackslash && text.ends_with('\\')) el_deletestr(editor, 1);
  el_winsertstr(editor, L"\n");
  return CC_REFRESH;
}

unsigned char LineEditor::on_newline(EditLine* editor, int) {
  el_winsertstr(editor, L"\n");
  return CC_REFRESH;
}

unsigned char LineEditor::on_interrupt(EditLine* editor, int) {
  LineEditor& me = self(editor);
  const LineInfoW* const line = el_wline(editor);
  me.interrupted_ = true;
  me.had_text_ = line->lastchar != line->buffer;
  el_wpush(editor, kEndEditing);
  return CC_NORM;
}

std::wstring LineEditor::pasted() {
  std::u32string text;
  char32_t last = 0;
  while (!text.ends_with(kEndOfPaste)) {
    const auto character = keys_->next();
    if (!character) break;
    const bool ends_crlf = last == U'\r' && *character == U'\n';
    if (!ends_crlf) text.push_back(*character == U'\r' ? U'\n' : *character);
    last = *character;
  }
  if (text.ends_with(kEndOfPaste)) text.resize(text.size() - kEndOfPaste.size());
  std::string bytes;
  for (const char32_t character : text) bytes += to_utf8(character);
  return to_wide(folds_.fold(visible(bytes)));
}

unsigned char LineEditor::on_paste(EditLine* editor, int) {
  el_winsertstr(editor, self(editor).pasted().c_str());
  return CC_REFRESH;
}

unsigned char LineEditor::on_tab(EditLine* editor, int) {
  LineEditor& me = self(editor);
  const Completion completion = complete(me.text_before_cursor(), me.completer_);
  if (!completion.insert.empty()) {
    el_winsertstr(editor, to_wide(completion.insert).c_str());
    return CC_REFRESH;
  }
  if (completion.candidates.empty()) return CC_REFRESH_BEEP;
  std::string list;
  for (const std::string& word : completion.candidates) list += visible(word) + "  ";
  return say(editor, list);
}

}  // namespace leyden::tools
