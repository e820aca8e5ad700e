#include "src/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "formats/checkpoint.h"
#include "formats/container_reader.h"
#include "formats/load_error.h"
#include "formats/model_config.h"
#include "formats/recipe_file.h"
#include "src/chat.h"
#include "src/convert.h"
#include "src/evaluate.h"
#include "src/generate.h"
#include "src/model/kv_cache.h"
#include "src/runtime/thread_team.h"
#include "src/text/chat_render.h"
#include "tests/formats/temp_directory.h"
#include "tests/model/golden.h"

namespace leyden {
namespace {

const std::string kDemo = std::string(LEYDEN_SOURCE_DIR) + "/models/demo";

EngineOptions small_options() {
  EngineOptions options;
  options.threads = 2;
  options.prefill_chunk = 32;
  return options;
}

std::vector<float> logits_after(const std::shared_ptr<const Engine>& engine,
                                const std::vector<std::int32_t>& tokens) {
  Session session(engine);
  EXPECT_EQ(session.prefill(tokens), SessionStatus::kOk);
  return {session.logits().begin(), session.logits().end()};
}

/// A container made from the tiny V3.2 checkpoint, removed afterwards.
class ContainerTest : public testing::Test {
 protected:
  ContainerTest()
      : path_(std::filesystem::temp_directory_path() /
              ("leyden_session_test_" + std::to_string(::getpid()) + ".leyden")) {
    runtime::ThreadTeam team(2);
    const auto checkpoint = formats::Checkpoint::open(model::golden_checkpoint("v32-tiny-fp8"));
    convert(*checkpoint, formats::load_recipe("int4"), {.out = path_}, team, {});
  }
  ~ContainerTest() override { std::filesystem::remove(path_); }

  std::filesystem::path path_;
  const std::vector<std::int32_t> tokens_ = model::Golden("v32-tiny-fp8").tokens;
};

TEST_F(ContainerTest, ComputesWhatTheCheckpointComputes) {
  EngineOptions options = small_options();
  options.weights = "int4";
  const auto original = Engine::load(model::golden_checkpoint("v32-tiny-fp8"), options);
  options.weights.clear();
  const auto container = Engine::load(path_, options);
  EXPECT_EQ(container->options().weights, "int4");
  EXPECT_EQ(logits_after(container, tokens_), logits_after(original, tokens_));
}

TEST_F(ContainerTest, ComputesTheSameWhenMapped) {
  EngineOptions options = small_options();
  const auto copied = Engine::load(path_, options);
  options.mmap = true;
  const auto mapped = Engine::load(path_, options);
  EXPECT_EQ(logits_after(mapped, tokens_), logits_after(copied, tokens_));
}

TEST_F(ContainerTest, RefusesAnotherRecipeThanItsOwn) {
  EngineOptions options = small_options();
  options.weights = "int8";
  EXPECT_THROW(Engine::load(path_, options), std::runtime_error);
}

TEST(Fingerprint, TellsModelsRecipesAndWeightsApart) {
  const auto of = [](const char* checkpoint, const char* weights) {
    EngineOptions options = small_options();
    options.weights = weights;
    return Engine::load(model::golden_checkpoint(checkpoint), options)->fingerprint();
  };
  const std::string fingerprint = of("v32-tiny-fp8", "int8");
  EXPECT_EQ(fingerprint.size(), 32U);
  EXPECT_EQ(fingerprint, of("v32-tiny-fp8", "int8"));
  EXPECT_NE(fingerprint, of("v32-tiny-fp8", "int4"));
  EXPECT_NE(fingerprint, of("v32-tiny-bf16", "int8"));
}

TEST_F(ContainerTest, KeepsItsFingerprintInTheEngine) {
  EXPECT_EQ(Engine::load(path_, small_options())->fingerprint(),
            formats::ContainerReader(path_).fingerprint());
}

class DemoTest : public testing::Test {
 protected:
  static std::shared_ptr<const Engine> engine(const std::string& recipe) {
    EngineOptions options = small_options();
    options.weights = recipe;
    return Engine::load(kDemo + "/checkpoint", options);
  }
};

TEST_F(DemoTest, PrefillAndDecodeAgreeWhenAbsorbed) {
  EngineOptions options = small_options();
  options.mla = MlaChoice::kAbsorb;
  const auto demo = Engine::load(kDemo + "/checkpoint", options);
  const auto tokens = demo->tokenizer().encode_text(
      "The fox lived near the river. One day it found a small red box under the old tree, and "
      "inside the box there was a key. Where does the key belong? Nobody in the village knew.");
  Session session(demo);
  for (const std::int32_t token : tokens) ASSERT_EQ(session.decode(token), SessionStatus::kOk);
  const std::vector<float> one_by_one(session.logits().begin(), session.logits().end());
  EXPECT_EQ(logits_after(demo, tokens), one_by_one);
}

TEST_F(DemoTest, TruncatingForgets) {
  EngineOptions options = small_options();
  options.mla = MlaChoice::kAbsorb;  // the prompt is computed whole, then in two pieces
  const auto demo = Engine::load(kDemo + "/checkpoint", options);
  const auto tokens = demo->tokenizer().encode_text("What is the capital of Norway?");
  Session session(demo);
  session.prefill(tokens);
  const std::vector<float> first(session.logits().begin(), session.logits().end());
  session.truncate(3);
  session.prefill(std::vector<std::int32_t>(50, 7));
  session.truncate(3);
  session.prefill(std::span(tokens).subspan(3));
  EXPECT_EQ(std::vector<float>(session.logits().begin(), session.logits().end()), first);
}

TEST_F(DemoTest, TruncatingGivesMemoryBackAndForksKeepTheirs) {
  EngineOptions options = small_options();
  options.mla = MlaChoice::kAbsorb;
  const auto demo = Engine::load(kDemo + "/checkpoint", options);
  Session session(demo);
  session.append_noise(3000);
  const Session fork = session.fork();
  session.truncate(600);
  EXPECT_EQ(session.cache().n_pages(), 4);
  EXPECT_EQ(fork.cache().n_pages(), 12);
  session.truncate(0);
  EXPECT_EQ(session.cache().n_pages(), 1);
  const std::vector<std::int32_t> tokens(400, 7);
  session.prefill(tokens);
  EXPECT_EQ(std::vector<float>(session.logits().begin(), session.logits().end()),
            logits_after(demo, tokens));
}

bool all_zeros(std::span<const float> logits) {
  return std::ranges::all_of(logits, [](float logit) { return logit == 0; });
}

TEST_F(DemoTest, ThereAreNoLogitsOfTokensThatAreGone) {
  Session session(engine("int8"));
  session.prefill(std::vector<std::int32_t>{5, 6, 7, 8});
  session.truncate(4);
  EXPECT_FALSE(all_zeros(session.logits()));
  session.truncate(3);
  EXPECT_TRUE(all_zeros(session.logits()));
}

TEST_F(DemoTest, ThereAreNoLogitsAfterAPrefillThatWasStopped) {
  Session session(engine("int8"));
  session.decode(5);
  const std::vector<std::int32_t> tokens(100, 6);
  EXPECT_EQ(session.prefill(tokens, [](int, int) { return false; }), SessionStatus::kStopped);
  ASSERT_EQ(session.position(), 1);
  EXPECT_FALSE(all_zeros(session.logits())) << "of the token before: nothing was appended";
  EXPECT_EQ(session.prefill(tokens, [](int done, int) { return done < 32; }),
            SessionStatus::kStopped);
  ASSERT_EQ(session.position(), 33);
  EXPECT_TRUE(all_zeros(session.logits()));
}

TEST_F(DemoTest, AppendsTokensOfItsOwn) {
  EngineOptions options = small_options();
  options.context = 600;
  const auto demo = Engine::load(kDemo + "/checkpoint", options);
  std::vector<std::int32_t> tokens(250);
  std::iota(tokens.begin(), tokens.end(), 100);
  const auto appends_its_own = [&](Session session) {
    ASSERT_EQ(session.position(), 250);
    ASSERT_EQ(session.prefill(session.tokens().first(100)), SessionStatus::kOk);
    EXPECT_TRUE(std::ranges::equal(session.tokens().subspan(250), std::span(tokens).first(100)));
  };
  Session session(demo), loaded(demo);
  session.prefill(tokens);
  const auto path =
      std::filesystem::temp_directory_path() / ("leyden_own_tokens_" + std::to_string(::getpid()));
  session.save(path);
  loaded.load(path);
  std::filesystem::remove(path);
  appends_its_own(session.fork());
  appends_its_own(std::move(session));
  appends_its_own(std::move(loaded));
}

TEST_F(DemoTest, SaysWhenTheContextIsFullAndComputesNothing) {
  EngineOptions options = small_options();
  options.context = 40;
  const auto demo = Engine::load(kDemo + "/checkpoint", options);
  Session session(demo);
  EXPECT_EQ(session.prefill(std::vector<std::int32_t>(41, 5)), SessionStatus::kContextFull);
  EXPECT_EQ(session.position(), 0);
  EXPECT_EQ(session.prefill(std::vector<std::int32_t>(40, 5)), SessionStatus::kOk);
  EXPECT_EQ(session.decode(5), SessionStatus::kContextFull);
  EXPECT_EQ(session.position(), 40);
}

TEST_F(DemoTest, StopsAPrefillBetweenChunks) {
  Session session(engine("int8"));
  const std::vector<std::int32_t> tokens(700, 5);
  EXPECT_EQ(session.prefill(tokens, [](int done, int) { return done < 64; }),
            SessionStatus::kStopped);
  EXPECT_EQ(session.position(), 64);
  EXPECT_EQ(session.cache().n_pages(), 2);  // the others were given back
}

TEST_F(DemoTest, StopsAPrefillBetweenLayersAndGoesOnFromTheChunkBefore) {
  const std::vector<std::int32_t> tokens = [] {
    std::vector<std::int32_t> t(100);
    std::iota(t.begin(), t.end(), 100);
    return t;
  }();
  Session whole(engine("int8"));
  whole.prefill(tokens);

  Session session(engine("int8"));
  std::vector<int> seen;
  const auto stop_in_the_second_chunk = [&](int done, int total) {
    EXPECT_EQ(total, 100);
    seen.push_back(done);
    return done <= 32;
  };
  EXPECT_EQ(session.prefill(tokens, stop_in_the_second_chunk), SessionStatus::kStopped);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_LT(seen.front(), 32);  // asked before the first chunk was done
  EXPECT_LT(seen.back(), 64);
  ASSERT_EQ(session.position(), 32);
  session.prefill(std::span(tokens).subspan(32));
  EXPECT_TRUE(std::ranges::equal(session.logits(), whole.logits()));
}

TEST_F(DemoTest, AProgressThatThrowsEndsAPrefillAsOneThatStopsIt) {
  Session session(engine("int8"));
  const std::vector<std::int32_t> tokens(700, 5);
  const auto fail = [](int done, int) -> bool {
    if (done < 64) return true;
    throw std::runtime_error("enough");
  };
  EXPECT_THROW(session.prefill(tokens, fail), std::runtime_error);
  EXPECT_EQ(session.position(), 64);
  EXPECT_EQ(session.cache().n_pages(), 2);
  EXPECT_EQ(session.decode(5), SessionStatus::kOk);
}

/// The logits after a prompt, and after each of 30 more tokens.
class Talk {
 public:
  Talk(const std::shared_ptr<const Engine>& engine, std::int32_t first_token, std::size_t n_prompt)
      : session_(engine), n_prompt_(n_prompt), tokens_(n_prompt + 30) {
    std::iota(tokens_.begin(), tokens_.end(), first_token);
  }
  /// Takes the next step; false if there is none.
  bool go_on() {
    const auto position = static_cast<std::size_t>(session_.position());
    if (position == tokens_.size()) return false;
    session_.prefill(std::span(tokens_).subspan(position, position == 0 ? n_prompt_ : 1));
    logits_.emplace_back(session_.logits().begin(), session_.logits().end());
    return true;
  }
  const std::vector<std::vector<float>>& logits() const { return logits_; }

 private:
  Session session_;
  std::size_t n_prompt_;
  std::vector<std::int32_t> tokens_;
  std::vector<std::vector<float>> logits_;
};

TEST_F(DemoTest, SessionsInTurnComputeWhatEachDoesAlone) {
  EngineOptions options = small_options();
  options.threads = 16;  // so many begin with the keys that were chosen last
  const auto demo = Engine::load(kDemo + "/checkpoint", options);
  // What the longer one has chosen, the shorter one has no keys for.
  Talk one(demo, 100, 150), other(demo, 900, 300);
  while (one.go_on() && other.go_on()) continue;
  Talk one_alone(demo->with(options), 100, 150), other_alone(demo->with(options), 900, 300);
  while (one_alone.go_on() && other_alone.go_on()) continue;
  EXPECT_EQ(one.logits(), one_alone.logits());
  EXPECT_EQ(other.logits(), other_alone.logits());
}

TEST_F(DemoTest, SessionsOfSeveralThreadsTakeTurns) {
  const auto demo = engine("int8");
  Talk alone(demo, 40, 8);
  while (alone.go_on()) continue;
  std::array<std::vector<std::vector<float>>, 3> logits;
  std::vector<std::jthread> threads;
  for (auto& mine : logits) {
    threads.emplace_back([&demo, &mine] {
      Talk talk(demo, 40, 8);
      while (talk.go_on()) continue;
      mine = talk.logits();
    });
  }
  threads.clear();  // joins
  for (const auto& mine : logits) EXPECT_EQ(mine, alone.logits());
}

TEST_F(DemoTest, RefusesTokensOutsideTheVocabulary) {
  Session session(engine("int8"));
  EXPECT_THROW(session.decode(2048), std::out_of_range);
  EXPECT_THROW(session.decode(-1), std::out_of_range);
}

TEST_F(DemoTest, AnswersAndRemembers) {
  Chat chat(engine("int8"));
  text::SamplerOptions greedy;
  greedy.temperature = 0;
  text::Sampler sampler(greedy);
  chat.say("user", "What is the capital of Norway?");
  EXPECT_EQ(chat.answer(sampler, {}, {}).content, "The capital of Norway is Oslo.");
  const std::int32_t before = chat.session().position();
  chat.say("user", "What is 7 + 8?");
  const Generation second = chat.answer(sampler, {}, {});
  EXPECT_EQ(second.content, "7 + 8 = 15.");
  // The end token of the first answer and the second turn, but not the first turn again.
  EXPECT_LT(second.prompt_tokens, 15);
  EXPECT_GT(chat.session().position(), before);
}

// V3's template leaves out calls beside a text, even an empty one.
TEST_F(DemoTest, AnAnswerOfCallsAloneHasNoContent) {
  const auto demo = engine("int8");
  const text::Tokenizer& tokenizer = demo->tokenizer();
  Chat chat(demo);
  chat.say("system", "");
  chat.messages[0].tools =
      formats::parse_json(R"([{"type": "function", "function": {"name": "sun"}}])", "tools");
  chat.say("user", "How is the weather?");
  const auto call = tokenizer.encode_trusted(
      "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>sun<｜tool▁sep｜>7<｜tool▁call▁end｜><"
      "｜tool▁calls▁end｜>");
  const auto prompt = tokenizer.encode(text::render(chat.format(), chat.messages));
  // Has the model say these tokens, one after the other and each once.
  text::SamplerOptions forced{.temperature = 0, .frequency_penalty = 50000};
  for (std::size_t i = 0; i < call.size(); ++i) {
    const auto n_before = static_cast<float>(std::ranges::count(prompt, call[i]));
    forced.logit_bias.emplace_back(
        call[i], 90000.0f - 1000.0f * static_cast<float>(i) + 50000.0f * n_before);
  }
  text::Sampler sampler(forced);
  GenerationOptions options;
  options.max_tokens = static_cast<int>(call.size());
  ASSERT_EQ(chat.answer(sampler, options, {}).tool_calls.size(), 1u);
  EXPECT_EQ(chat.messages.back().content, std::nullopt);
  EXPECT_TRUE(text::assistant_json(chat.messages.back())["content"].is_null());
  EXPECT_THAT(joined(text::render(text::ChatFormat::kV3, chat.messages)),
              testing::HasSubstr("<｜tool▁sep｜>sun"));
}

/// The demo model without its Jinja template: leyden takes it for a V3.2.
class V32DemoTest : public testing::Test {
 protected:
  V32DemoTest() {
    for (const auto& file : std::filesystem::directory_iterator(kDemo + "/checkpoint")) {
      if (file.path().filename() == "tokenizer_config.json") continue;
      std::filesystem::create_symlink(file.path(), dir_.path() / file.path().filename());
    }
  }
  fixtures::TempDirectory dir_;
};

TEST_F(V32DemoTest, ATemplateMayLieInAFileOfItsOwn) {
  EXPECT_EQ(Engine::load(dir_.path(), small_options())->chat_format(), text::ChatFormat::kV32);
  dir_.write("chat_template.jinja", "{{ messages }}");
  EXPECT_EQ(Engine::load(dir_.path(), small_options())->chat_format(), text::ChatFormat::kV31);
  runtime::ThreadTeam team(2);
  const auto out = dir_.path() / "demo.leyden";
  convert(*formats::Checkpoint::open(dir_.path()), formats::load_recipe("int8"), {.out = out}, team,
          {});
  EXPECT_EQ(Engine::load(out, small_options())->chat_format(), text::ChatFormat::kV31);
}

TEST_F(V32DemoTest, AnAnswerWithoutReasoningIsNotForgottenWhenThinkingIsSwitchedOn) {
  Chat chat(Engine::load(dir_.path(), small_options()));
  chat.say("user", "What is the capital of Norway?");
  text::Sampler sampler({.temperature = 0});
  GenerationOptions options;
  options.max_tokens = 5;
  ASSERT_EQ(chat.answer(sampler, options, {}).tokens.size(), 5u);
  const std::int32_t position = chat.session().position();
  chat.render.thinking = true;
  chat.forget_what_is_gone();
  EXPECT_EQ(chat.session().position(), position);
  chat.messages.pop_back();
  chat.forget_what_is_gone();
  EXPECT_LT(chat.session().position(), position);
}

/// models/demo/eval/reference.json: f32, 15875 tokens.
constexpr double kReferencePerplexity = 1.72288;

Documents heldout() {
  std::ifstream in(kDemo + "/eval/heldout_tokens.json");
  return nlohmann::json::parse(in)["documents"].get<Documents>();
}

/// The plain loops of the scalar level take minutes; the levels are compared bit for bit elsewhere.
bool too_slow_here() { return simd::kernels().isa == simd::Isa::kScalar; }

TEST_F(DemoTest, Int8KeepsThePerplexity) {
  if (too_slow_here()) GTEST_SKIP() << "15875 tokens on the scalar level";
  const Perplexity found = perplexity(engine("int8"), heldout());
  EXPECT_EQ(found.n_tokens, 15875u);
  EXPECT_NEAR(found.value, kReferencePerplexity, 0.003 * kReferencePerplexity);
}

TEST_F(DemoTest, Int4KeepsThePerplexity) {
  if (too_slow_here()) GTEST_SKIP() << "15875 tokens on the scalar level";
  EXPECT_NEAR(perplexity(engine("int4"), heldout()).value, kReferencePerplexity,
              0.006 * kReferencePerplexity);
}

}  // namespace
}  // namespace leyden
