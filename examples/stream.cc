// Loads a model and streams its answer to one question: stream MODEL QUESTION
#include <leyden/chat.h>

#include <cstdio>
#include <stdexcept>
#include <string_view>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: stream MODEL QUESTION\n");
    return 2;
  }
  try {
    const auto engine = leyden::Engine::load(argv[1]);  // may be shared by many conversations
    leyden::Chat chat(engine);
    chat.say("user", argv[2]);

    leyden::text::Sampler sampler({.temperature = 0},
                                  tokens_of(engine->tokenizer(), engine->vocab_size()));
    leyden::GenerationEvents events;
    events.on_text = [](leyden::Channel, std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    };
    const leyden::Generation answer = chat.answer(sampler, {}, events);
    std::puts("");
    if (answer.finish == leyden::Finish::kError) throw std::runtime_error(answer.error);
  } catch (const std::exception& error) {  // one sentence: file, tensor or field, what is wrong
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
