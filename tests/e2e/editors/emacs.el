;;; emacs.el --- What a person does in Emacs with eglot  -*- lexical-binding: t -*-
;; Every wait is for a condition, in the editor's own loop; what is seen is told as JSON on stdout,
;; for the test to judge.
(require 'cl-lib)
(require 'json)

(defconst seconds 30)
(defconst workspace default-directory)
(defvar messages nil "What the echo area showed, the latest first.")
(advice-add 'message :after
            (lambda (format &rest arguments)
              (when format (push (apply #'format-message format arguments) messages))))

(defun tell (name value)
  "Tell the test what is seen."
  (let ((line (concat (json-encode (list (cons name value))) "\n"))
        (coding-system-for-write 'utf-8-unix))
    (write-region line nil "/dev/stdout" t 'silent)))

(defun wait (what found)
  "What FOUND gives, as soon as it gives something."
  (let ((deadline (+ (float-time) seconds)) value)
    (while (not (setq value (funcall found)))
      (when (> (float-time) deadline) (error "Waited in vain for %s" what))
      (accept-process-output nil 0.02)
      ;; In batch no command ends and Emacs is never idle; much of it waits for that.
      (run-hooks 'post-command-hook)
      (mapc #'timer-event-handler (copy-sequence timer-idle-list)))
    value))

(defun open (path)
  (find-file (expand-file-name path workspace))
  (run-hooks 'post-command-hook))

(defun client ()
  "The server, once it serves the buffer."
  (wait "codexd in this buffer" #'eglot-current-server))

(defun where (position)
  (save-excursion
    (goto-char position)
    (list (1- (line-number-at-pos)) (- (point) (line-beginning-position)))))

(defun diagnostics (what fits)
  "The diagnostics of the buffer, once they fit."
  (wait what
        (lambda ()
          (let ((rows (mapcar (lambda (each)
                                `((range . ,(vconcat (where (flymake-diagnostic-beg each))
                                                     (where (flymake-diagnostic-end each))))
                                  (message . ,(flymake-diagnostic-text each))))
                              (flymake-diagnostics))))
            (and (funcall fits rows) (vconcat rows))))))

(defun some-rows (rows) rows)
(defun no-rows (rows) (null rows))

(defun at (text)
  (goto-char (point-min))
  (search-forward text)
  (goto-char (match-beginning 0)))

(defun hover ()
  "What `eldoc' shows."
  (eldoc)
  (wait "the hover"
        (lambda ()
          (when (buffer-live-p eldoc--doc-buffer)
            (with-current-buffer eldoc--doc-buffer
              (let ((text (buffer-substring-no-properties (point-min) (point-max))))
                (unless (string-empty-p (string-trim text)) text)))))))

(defun complete (begun)
  "Type BEGUN on a new last line, and complete it: the words offered."
  (goto-char (point-max))
  (insert begun)
  (pcase-let* ((`(,beg ,end ,table . ,_) (run-hook-with-args-until-success
                                          'completion-at-point-functions))
               (words (all-completions (buffer-substring beg end) table)))
    (completion-at-point)
    (vconcat (mapcar #'substring-no-properties words))))

(defun choose (wanted offer)
  "Choose as a person would in the list that OFFER opens: the first title that has WANTED."
  (let* (titles
         (last-nonmenu-event ?\r)
         (completing-read-function
          (lambda (_prompt items &rest _)
            (setq titles (mapcar #'car items))
            (cl-find-if (lambda (title) (string-search wanted title)) titles))))
    (call-interactively offer)
    (vconcat titles)))

(defun shown (words act)
  "What ACT leads to: the first message that has WORDS, once there is one."
  (setq messages nil)
  (funcall act)
  (wait (concat "a message with " words)
        (lambda () (cl-find-if (lambda (line) (string-search words line)) messages))))

(defun text ()
  (buffer-substring-no-properties (point-min) (point-max)))

(defun agent-file ()
  (open ".codex/agents/helper.yaml")
  (client)
  (tell 'wrong (diagnostics "what is wrong" #'some-rows))
  (at "goal")
  (tell 'hover (hover))
  (at "max_tokns")
  (tell 'actions (choose "max_tokens" #'eglot-code-actions))
  (diagnostics "the mistake to be gone" #'no-rows)
  (tell 'mended (text))
  (tell 'words (complete "success"))
  (tell 'completed (text)))

(defun findings ()
  (open ".codex/agents/helper.yaml")
  (client)
  (open "app.py")
  (tell 'before (diagnostics "nothing" #'no-rows))
  (tell 'ended (shown "code-reviewer: " (lambda () (codexd "code-reviewer" ""))))
  (tell 'findings (diagnostics "findings" #'some-rows)))

(defun over-the-name ()
  (open ".codex/agents/worker.yaml")
  (client)
  (at "name")
  (let (titles)
    (tell 'ended (shown "worker: "
                        (lambda () (setq titles (choose "Run" #'eglot-code-actions)))))
    (tell 'offered titles)
    (tell 'policy (shown "reads" (lambda () (setq titles (choose "policy" #'eglot-code-actions)))))
    (tell 'twins titles)))

(defun wrong-name ()
  (open ".codex/agents/helper.yaml")
  (client)
  (tell 'told (condition-case fault (codexd "code-reviwer" "") (error (format "%S" fault)))))

(defun cancel ()
  (open ".codex/agents/helper.yaml")
  (client)
  (codexd "worker" "")
  (tell 'ended (shown "worker: " #'codexd-cancel)))

(condition-case fault
    (funcall (intern (string-replace "_" "-" (getenv "EDITOR_SCENARIO"))))
  (error (tell 'fault (format "%S\n%s" fault (string-join messages "\n")))))
(tell 'messages (vconcat messages))
(tell 'done t)
(kill-emacs)
