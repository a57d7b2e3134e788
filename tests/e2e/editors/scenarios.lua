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
    tell('words', M.complete('success'))
    tell('completed', M.text())
  end

  function scenarios.findings()
    M.open('app.py')
    M.client()
    tell('before', M.diagnostics('nothing', M.none))
    tell('ended', M.message('code-reviewer: ', function() vim.cmd('Codexd code-reviewer') end))
    tell('findings', M.diagnostics('findings', M.some))
  end

  function scenarios.actions()
    M.open('app.py')
    M.client()
    tell('offered', M.choose('Review', vim.lsp.buf.code_action))
    tell('findings', M.diagnostics('findings', M.some))
    M.at('digest')
    tell('mending', M.choose('Dismiss', vim.lsp.buf.code_action))
    tell('left', M.diagnostics('one less', function(rows) return #rows == 2 end))
  end

  function scenarios.over_the_name()
    M.open('.codex/agents/worker.yaml')
    M.client()
    tell('offered', M.lenses('Run'))
    M.at('name')
    tell('ended', M.message('worker: ', function() M.choose('Run', vim.lsp.codelens.run) end))
    tell('policy', M.message('reads', function() M.choose('policy', vim.lsp.codelens.run) end))
    tell('twins', M.choose('policy', vim.lsp.buf.code_action))
  end

  function scenarios.wrong_name()
    M.open('app.py')
    M.client()
    tell('told', M.message('code-reviwer', function() vim.cmd('Codexd code-reviwer') end))
  end

  function scenarios.cancel()
    M.open('app.py')
    M.client()
    vim.cmd('Codexd worker')
    tell('progress', M.progress())
    tell('ended', M.message('worker: ', function() vim.cmd('CodexdCancel') end))
  end

  --- The diagnostics, once every one of `words` is the message of one.
  local function said(...)
    local words = { ... }
    return M.diagnostics(table.concat(words, ', '), function(rows)
      local messages = vim.tbl_map(function(row) return row.message end, rows)
      for _, each in ipairs(words) do
        if not vim.tbl_contains(messages, each) then return false end
      end
      return true
    end)
  end

  local function beside_a_terminal()
    M.open('app.py')
    tell('attached', M.client().name)
    tell('progress', M.progress())
    tell('terminal', said('from the terminal'))
  end

  function scenarios.crashes()
    beside_a_terminal()
    for _, goal in ipairs({ 'one', 'two', 'three' }) do vim.cmd('Codexd worker ' .. goal) end
    tell('started', true)
    M.wait('its end', function() return false end)
  end

  function scenarios.goes_on()
    beside_a_terminal()
    tell('found', said('meanwhile', 'one', 'two', 'three'))
  end

  M.main(scenarios[vim.env.EDITOR_SCENARIO])
end
