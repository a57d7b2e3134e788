-- What a person goes through, by name; `M` are the gestures of this Neovim.
return function(M)
  local tell, scenarios = M.tell, {}

  function scenarios.agent_file()
    M.open('.codex/agents/helper.yaml')
    tell('server', M.client().name)
    tell('wrong', M.diagnostics('what is wrong', M.some))
    M.at('goal')
    tell('hover', M.hover())
    M.at('max_tokns')
    tell('actions', M.choose('max_tokens', vim.lsp.buf.code_action))
    M.diagnostics('the mistake to be gone', M.none)
    tell('mended', M.text())
    tell('words', M.complete('success', 'success_criteria'))
    tell('completed', M.text())
  end

  function scenarios.findings()
    M.open('app.py')
    M.client()
    tell('before', M.diagnostics('nothing', M.none))
    vim.cmd('Codexd code-reviewer')
    tell('findings', M.diagnostics('findings', M.some))
    tell('ended', M.message('code-reviewer: '))
  end

  function scenarios.wrong_name()
    M.open('app.py')
    M.client()
    vim.cmd('Codexd code-reviwer')
    tell('told', M.message('code-reviwer'))
  end

  function scenarios.cancel()
    M.open('app.py')
    M.client()
    vim.cmd('Codexd worker')
    tell('progress', M.progress())
    vim.cmd('CodexdCancel')
    tell('ended', M.message('worker: '))
  end

  M.main(scenarios[vim.env.EDITOR_SCENARIO])
end
