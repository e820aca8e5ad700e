#pragma once

#include <histedit.h>

#include <memory>
#include <string>

#include "tools/repl/completion.h"
#include "tools/repl/history_file.h"
#include "tools/repl/input_reader.h"
#include "tools/repl/paste_folds.h"

namespace leyden::tools {

/// Line editing by libedit: history, completion, texts of several lines, pasted blocks, wide
/// characters. Obeys ~/.editrc. Needs a UTF-8 locale and a terminal that knows escape sequences.
class LineEditor : public InputReader {
 public:
  /// prompt: its escape sequences stand between \1 and \1. `keys`, `signals` outlive the editor.
  LineEditor(KeySource& keys, Signals& signals, std::string prompt, HistoryFile history,
             Completer completer);
  Input read() override;

 private:
  struct EndEditor {
    void operator()(EditLine* editor) const { el_end(editor); }
  };
  struct EndHistory {
    void operator()(History* history) const { history_end(history); }
  };

  void bind_keys();
  void remember(const std::string& text);
  void add_to_history(const std::string& text);
  std::string text_before_cursor() const;
  std::wstring pasted();

  // What libedit calls; the editor is its client data.
  static LineEditor& self(EditLine* editor);
  static char* give_prompt(EditLine* editor);
  static int give_key(EditLine* editor, wchar_t* key);
  static unsigned char on_enter(EditLine* editor, int key);
  static unsigned char on_newline(EditLine* editor, int key);
  static unsigned char on_interrupt(EditLine* editor, int key);
  static unsigned char on_paste(EditLine* editor, int key);
  static unsigned char on_tab(EditLine* editor, int key);

  KeySource* keys_;
  Signals* signals_;
  std::string prompt_;
  HistoryFile history_file_;
  Completer completer_;
  PasteFolds folds_;
  std::unique_ptr<History, EndHistory> history_;
  std::unique_ptr<EditLine, EndEditor> editor_;
  bool interrupted_ = false, had_text_ = false;
  std::string last_;  // entry of the history
};

}  // namespace leyden::tools
