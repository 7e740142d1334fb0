#pragma once
// Sorts the messages that one process has sent by their destinations. Pure, over the address book:
// frames in, mail for each destination out. Loop thread only.

#include <coppice/actors/address_book.hpp>
#include <coppice/actors/dead_letters.hpp>
#include <coppice/actors/mail.hpp>
#include <coppice/runtime/error.hpp>

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace coppice {

/// What all who route messages share.
struct post_office {
  explicit post_office(logger& log) : dead{log} {}

  address_book book;
  dead_letters dead;
};

/// Who has sent, as the primary knows it, whatever its frames say.
struct mail_sender {
  std::uint64_t id = 0;
  std::uint64_t incarnation = 0;
};

class mail_sorter {
public:
  mail_sorter(post_office& post, mail_sender from) : post_{post}, from_{from} {}

  /// Bodies of frames that follow each other in `memory`, each behind its prefix. An error: one of
  /// them breaks the grammar; those before it are sorted.
  [[nodiscard]] result<void> sort(const shared_bytes& memory,
                                  std::span<const std::span<const std::byte>> bodies);
  /// One frame of the primary's own making. Its `from` stands.
  void sort_own(mail_run frame);

  /// Gives `to(resident, mail)` what has been sorted for each destination.
  template <class Deliver>
  void deliver(Deliver to) {
    for (auto& [id, letters] : sorted_)
      if (const auto* one = post_.book.find(id)) to(*one, std::move(letters));
    sorted_.clear();
  }

private:
  void sort_one(mail_run frame, const wire::envelope_view& head, const wire::envelope_meta& meta);
  void sort_answer(mail_run& frame, const wire::envelope_view& head,
                   const wire::envelope_meta& meta);
  [[nodiscard]] bool sort_request(const wire::envelope_view& head);
  void refuse(dead_letter why, const wire::envelope_view& head, const wire::envelope_meta& meta);
  void add(std::uint64_t to, const mail_run& frame);
  [[nodiscard]] mail_run stamped(const wire::envelope_view& head) const;

  post_office& post_;
  mail_sender from_;
  std::vector<std::pair<std::uint64_t, mail>> sorted_; ///< few: those of one read
  std::size_t last_ = 0;                               ///< where the last one went
  std::vector<resident*> found_;
};

/// The answer to an ask that nobody else will answer.
[[nodiscard]] mail_run failure_of(const ask_key& ask, std::uint64_t in_place_of,
                                  std::string_view why);

} // namespace coppice
