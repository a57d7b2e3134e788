-- Neovim 0.11: clients come with `vim.lsp.enable`, and progress is an event.
local M = dofile(vim.env.EDITOR_FOLDER .. '/neovim.lua')

local titles = {}
vim.api.nvim_create_autocmd('LspProgress', {
  callback = function(event) titles[#titles + 1] = event.data.params.value.title end,
})

--- The client, once it serves the buffer.
function M.client()
  return M.wait('codexd in this buffer', function()
    local client = vim.lsp.get_clients({ bufnr = 0, name = 'codexd' })[1]
    return client and client.initialized and client
  end)
end

--- The title of a run under way, once one is shown.
function M.progress()
  return M.wait('progress', function() return titles[1] end)
end

dofile(vim.env.EDITOR_FOLDER .. '/scenarios.lua')(M)
