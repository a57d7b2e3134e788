-- Neovim 0.7: clients are started and attached by hand, and progress is polled.
local M = dofile(vim.env.EDITOR_FOLDER .. '/neovim.lua')

--- The client, once it serves the buffer.
function M.client()
  return M.wait('codexd in this buffer', function()
    local _, client = next(vim.lsp.buf_get_clients(0))
    return client and client.initialized and client
  end)
end

--- The title of a run under way, once one is shown.
function M.progress()
  return M.wait('progress', function()
    local _, shown = next(vim.lsp.util.get_progress_messages())
    -- One that was created and has not begun.
    return shown and shown.title ~= 'empty title' and shown.title
  end)
end

dofile(vim.env.EDITOR_FOLDER .. '/scenarios.lua')(M)
