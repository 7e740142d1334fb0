// The actor of a program in virtual time, against a program that the test plays.
#include "support/actor_world.hpp"
#include "support/catch.hpp"

#include <coppice/actors/program_proxy.hpp>
#include <csignal>
#include <vector>

using namespace coppice;

namespace {

struct played_program {
  program_link::on_event tell;
  std::vector<int> signals;
  bool destroyed = false;
};

class played_link final : public program_link {
public:
  explicit played_link(played_program& program) : program_{program} {}
  ~played_link() override { program_.destroyed = true; }
  void start(on_event events) override { program_.tell = std::move(events); }
  void signal(int number) override { program_.signals.push_back(number); }

private:
  played_program& program_;
};

struct heard {
  std::vector<child_ready> ready;
  std::vector<child_ended> ended;
};

struct overseer {
  caf::event_based_actor* self;
  heard* notes;
  caf::behavior make_behavior() {
    return {[this](const child_ready& m) { notes->ready.push_back(m); },
            [this](const child_ended& m) { notes->ended.push_back(m); }};
  }
};

struct stage {
  played_program program;
  heard notes;
  test::actor_world world;
  caf::actor above = port::spawn_state<overseer>(world.system(), &notes);
  caf::actor proxy = port::spawn_state<program_proxy>(
      world.system(),
      program_proxy_parts{"cache", 3, above, std::make_unique<played_link>(program), SIGQUIT,
                          [](const caf::actor_addr& to, program_told m) {
                            port::anon_mail(std::move(m)).send(caf::actor_cast<caf::actor>(to));
                          }});
  stage() { world.run(); }
  ~stage() {
    proxy = nullptr;
    above = nullptr;
  }

  void tell(program_event event) {
    program.tell(std::move(event));
    world.run();
  }
  void ends(os::exit_status status) { tell(program_ended{status}); }
  void stop(stop_how how) { world.deliver(proxy, stop_child{how}); }
  ending only_end() {
    REQUIRE(notes.ended.size() == 1);
    CHECK(notes.ended[0].id == "cache");
    CHECK(notes.ended[0].incarnation == 3);
    CHECK(program.destroyed);
    return notes.ended[0].ending;
  }
};

constexpr os::exit_status code(int n) { return {os::exit_status::kind::exited, n, false}; }

} // namespace

TEST_CASE("a program's readiness reaches its supervisor once, with its pid") {
  stage it;
  it.tell(program_started{71});
  CHECK(it.notes.ready.empty());
  it.tell(program_is_ready{});
  it.tell(program_is_ready{});
  REQUIRE(it.notes.ready.size() == 1);
  CHECK(it.notes.ready[0].pid == 71);
  CHECK(it.notes.ready[0].incarnation == 3);
}

TEST_CASE("exit code 0 is a good end, and everything else is not, unless it was asked for") {
  for (const bool asked : {false, true})
    for (const int n : {0, 3}) {
      stage it;
      it.tell(program_started{71});
      it.tell(program_is_ready{});
      if (asked) it.stop(stop_how::shutdown);
      it.ends(code(n));
      const auto end = it.only_end();
      CHECK(end.how == (asked || n == 0 ? ending::well : ending::abnormal));
      CHECK(end.reason == "exit code " + std::to_string(n));
      CHECK(end.pid == 71);
    }
}

TEST_CASE("a program that could not be started is a failed start, with its words") {
  stage it;
  it.tell(program_start_failed{{"start", "/x", {}, "no"}});
  const auto end = it.only_end();
  CHECK(end.how == ending::start_failed);
  CHECK(end.reason == "start /x: no");
}

TEST_CASE("asked, hurried and killed, a program gets the signal for it") {
  stage it;
  it.tell(program_started{71});
  it.tell(program_is_ready{});
  it.stop(stop_how::shutdown);
  it.stop(stop_how::shutdown);
  it.stop(stop_how::hurry);
  it.stop(stop_how::kill);
  CHECK(it.program.signals == std::vector<int>{SIGQUIT, SIGTERM, SIGKILL});
}

TEST_CASE("a program that is told to end before it is there is told again when it is") {
  stage it;
  it.stop(stop_how::kill);
  it.tell(program_started{71});
  CHECK(it.program.signals == std::vector<int>{SIGKILL, SIGKILL});
  it.tell(program_is_ready{});
  CHECK(it.notes.ready.empty());
}
